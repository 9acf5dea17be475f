import { assertEquals } from "@std/assert";
import type { Measure } from "../../../tasks/task.ts";
import type { Registries } from "../../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../../training/run.ts";
import { basesOf } from "../../sweep/bases.ts";
import { fakeRegistries } from "../../../tests/support/fakes/registries.ts";
import { fakeBase, fakeDiverged, fakeDone } from "../../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import { a100 } from "../../cost/growth/predict.ts";
import { studentInterval } from "../../statistics/statistics.ts";
import { expand, type SweepSpec } from "../../sweep/sweep.ts";
import type { Table } from "../table.ts";
import { makeStudy } from "../../study/make_study.ts";
import { familyTables } from "./families.ts";

const { load } = fakeRegistries.tasks["digits"]!;
const matthews: Measure = { name: "Matthews correlation", better: "higher" };
const registries: Registries = {
  ...fakeRegistries,
  tasks: {
    code: {
      id: "code",
      title: "Programs",
      family: "code",
      metric: { name: "pass@1", chance: 0 },
      load,
    },
    dialogue: {
      id: "dialogue",
      title: "Bookings",
      family: "dialogue",
      metric: { name: "joint goal accuracy", chance: 0 },
      load,
      measures: [{ name: "loss a token", better: "lower" }],
    },
    grammar: {
      id: "grammar",
      title: "Grammar",
      family: "understanding",
      metric: { name: "accuracy", chance: 0.5 },
      load,
      measures: [matthews],
    },
    sense: {
      id: "sense",
      title: "Senses",
      family: "understanding",
      metric: { name: "accuracy", chance: 0.1 },
      load,
    },
  },
};
const models: Readonly<Record<string, string>> = { code: "decoder-tiny", dialogue: "decoder-tiny" };
const amounts = { trainExamples: 16, validationExamples: 8, testExamples: 100 };

/** Scores of full fine-tuning and LoRA by task, one a seed; null is a run that diverged. */
type Scores = Readonly<Record<string, readonly [full: readonly number[], lora: readonly (number | null)[]]>>;

/** The tables of runs that scored so; of Matthews correlations, the score less a tenth. */
async function tablesOf(scores: Scores, options: { readonly before?: boolean } = {}): Promise<Table[]> {
  const seeds = [...Object.values(scores)[0]![0].keys()];
  const spec: SweepSpec = {
    ...fakeSweep,
    tasks: Object.keys(scores).map((id) => ({
      task: { id, ...amounts },
      model: { id: models[id] ?? "decoder-tiny" },
    })),
    optimizers: [{ id: "lora" }, { id: "full" }],
    ranks: [8],
    seeds,
  };
  const { configs } = expand(spec, registries);
  const results = await Promise.all(configs.map(async (config: RunConfig): Promise<RunResult> => {
    const score = scores[config.task.id]![config.optimizer.id === "full" ? 0 : 1][config.seed]!;
    if (score === null) return await fakeDiverged(config);
    const done = await fakeDone(config);
    const measures = config.task.id === "grammar"
      ? { [matthews.name]: { value: score - 0.1, values: [score - 0.1] } }
      : undefined;
    return { ...done, outcome: { ...done.outcome, score, ...(measures && { measures }) } };
  }));
  const bases = options.before ? await Promise.all(basesOf(configs).map(fakeBase)) : [];
  return familyTables(makeStudy(configs, results, [], registries, a100, bases));
}

function half(values: readonly number[]): string {
  const { low, high } = studentInterval(values)!;
  return ((high - low) / 2).toFixed(3);
}

Deno.test("familyTables() averages understanding over its tasks, seed by seed, with the gap to full fine-tuning", async () => {
  const [table, ...others] = await tablesOf({
    grammar: [[0.8, 0.9], [0.7, 0.7]],
    sense: [[0.5, 0.5], [0.4, 0.2]],
  });
  assertEquals(others, []);
  assertEquals([table!.title, table!.columns], [
    "Understanding",
    [
      "Rank",
      "Method",
      "Average",
      "to full",
      "Grammar, accuracy",
      "Matthews correlation ↑",
      "Senses, accuracy",
    ],
  ]);
  assertEquals(table!.rows, [
    [
      "—",
      "Full fine-tuning",
      `0.675 ± ${half([0.65, 0.7])}`,
      "—",
      `0.850 ± ${half([0.8, 0.9])}`,
      `0.750 ± ${half([0.7, 0.8])}`,
      "0.500 ± 0.000",
    ],
    [
      "8",
      "LoRA (alpha/r)",
      `0.500 ± ${half([0.55, 0.45])}`,
      `−0.175 ± ${half([0.1, 0.25])}, 0 of 2`,
      "0.700 ± 0.000",
      "0.600 ± 0.000",
      `0.300 ± ${half([0.4, 0.2])}`,
    ],
  ]);
});

Deno.test("familyTables() puts dialogue before code, each with its own gap, and leaves measures out that no run has", async () => {
  const [table] = await tablesOf({ code: [[0.6], [0.5]], dialogue: [[0.9], [0.95]] });
  assertEquals([table!.title, table!.columns], [
    "Dialogue, mathematics and code",
    ["Rank", "Method", "Bookings, joint goal accuracy", "to full", "Programs, pass@1", "to full"],
  ]);
  // One seed has no interval over seeds.
  assertEquals(table!.rows, [
    ["—", "Full fine-tuning", "0.900", "—", "0.600", "—"],
    ["8", "LoRA (alpha/r)", "0.950", "+0.050, 1 of 1", "0.500", "−0.100, 0 of 1"],
  ]);
});

Deno.test("familyTables() averages seeds, those that diverged at chance, says how many did, and shows what was before", async () => {
  const [table] = await tablesOf(
    { grammar: [[0.8, 0.9], [0.7, null]], sense: [[0.5, 0.6], [0.4, 0.3]] },
    { before: true },
  );
  const [before, , lora] = table!.rows;
  const scores = before!.filter((cell) => /^0\.\d{3}$/.test(cell)).map(Number);
  assertEquals([scores.length, before![3], before![5]], [3, "—", "—"]);
  assertEquals(Math.abs((scores[1]! + scores[2]!) / 2 - scores[0]!) < 1e-3, true);
  // Chance scores 0.5 on grammar: (0.5 + 0.3) / 2 − (0.9 + 0.6) / 2 on the seed that diverged there.
  assertEquals(lora!.slice(2), [
    `0.475 ± ${half([0.55, 0.4])} (1 diverged)`,
    `−0.225 ± ${half([-0.1, -0.35])}, 0 of 2`,
    `0.600 ± ${half([0.7, 0.5])} (1 diverged)`,
    "0.600",
    `0.350 ± ${half([0.4, 0.3])}`,
  ]);
  const [nothing] = await tablesOf({ grammar: [[0.8], [null]], sense: [[0.5], [null]] });
  assertEquals(nothing!.rows[1]!.slice(2), [
    "0.300 (2 diverged)",
    "−0.350, 0 of 1",
    "0.500 (1 diverged)",
    "—",
    "0.100 (1 diverged)",
  ]);
});
