import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { basesOf } from "../sweep/bases.ts";
import { fakeRegistries, manyMethods } from "../../tests/support/fakes/registries.ts";
import { build, made, rowsOf } from "../../tests/support/fakes/reports.ts";
import { fakeBase, fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { a100 } from "../cost/growth/predict.ts";
import { mean } from "../statistics/statistics.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { buildReport } from "../report/build.ts";
import { compareOthers, comparePairs, type Pair } from "./pairs.ts";
import type { DoneRun } from "./study.ts";
import type { Report } from "../report/report.ts";
import { makeStudy } from "./make_study.ts";

const [digits, arithmetic] = fakeSweep.tasks as [SweepSpec["tasks"][number], SweepSpec["tasks"][number]];
const five: SweepSpec = {
  ...fakeSweep,
  tasks: [digits],
  optimizers: [{ id: "lora" }, { id: "lora-pro" }],
  ranks: [2],
  seeds: [0, 1, 2, 3, 4],
};

/** A finished run with such a share of its examples right, the first ones. */
async function scoring(config: RunConfig, share: number): Promise<DoneRun> {
  const done = await fakeDone(config), { length } = done.outcome.scores;
  const scores = done.outcome.scores.map((_, i) => i < Math.round(share * length) ? 1 : 0);
  return { ...done, outcome: { ...done.outcome, scores, score: mean(scores) } };
}

Deno.test("buildReport() pairs runs by their seeds, not by their place, where a method lacks some", async () => {
  // Scores rise by 0.1 a seed in both, and the second is better by 0.02 on each.
  const shareOf = ({ optimizer, seed }: RunConfig) =>
    0.3 + 0.1 * seed + (optimizer.id === "lora-pro" ? 0.02 : 0);
  const { plan, stored } = await made(five, (config) => scoring(config, shareOf(config)));
  const without = stored.filter(({ config }) => !(config.optimizer.id === "lora" && config.seed === 0));
  const [row] = rowsOf(build({ plan, stored: without }), "Comparisons");
  assertEquals([row![4], row![7], row![12]], ["+0.020", "4 of 4", "4"]);
  // Of three seeds in common nothing is decided.
  const few = without.filter(({ config }) => !(config.optimizer.id === "lora-pro" && config.seed === 4));
  const [undecided] = rowsOf(build({ plan, stored: few }), "Comparisons");
  assertEquals([undecided![4], undecided![12], undecided!.at(-1)], ["+0.020", "3", "undecided"]);
});

/** LoRA-Pro is better than LoRA by 0.2, but for the seeds that it diverges with. */
async function diverging(seeds: readonly number[], alsoLora: readonly number[] = []) {
  return await made(five, async (config): Promise<RunResult> => {
    const isPro = config.optimizer.id === "lora-pro";
    if ((isPro ? seeds : alsoLora).includes(config.seed)) return await fakeDiverged(config);
    return await scoring(config, (isPro ? 0.7 : 0.5) + 0.01 * (config.seed % 2));
  });
}

Deno.test("buildReport() counts a run that diverged as what chance scores, and says how many did", async () => {
  const rowOf = (report: Report) => rowsOf(report, "Comparisons")[0]!;
  const none = build(await diverging([]));
  assertEquals([rowOf(none)[4], rowOf(none).at(-1)], ["+0.200", "better"]);
  assert(!none.tables.find(({ title }) => title === "Comparisons")!.columns.includes("Diverged"));
  // Two of five seeds end at 0.1, as guessing does: ((0.2 · 3) + (0.1 − 0.5) + (0.1 − 0.51)) / 5.
  const two = build(await diverging([0, 1]));
  assertEquals([rowOf(two)[4], rowOf(two)[7]], ["−0.042", "3 of 5"]);
  assertEquals(rowOf(two).slice(-2), ["2 and 0", "undecided"]);
  assertStringIncludes(
    two.answer.join("\n"),
    "2 runs diverged: LoRA-Pro 2. Comparisons count them as what a model that learned nothing scores: 0.100 on " +
      "Shifted digits, by chance.",
  );
  assertStringIncludes(
    two.caveats.join("\n"),
    "In tables and comparisons they count as what a model that learned nothing scores",
  );
  // The mean score is that of all five seeds, two of them at chance.
  const score = rowsOf(two, "Scores").find((row) => row[2] === "LoRA-Pro")!;
  assertEquals([score[4], score[10]], [((0.7 + 0.71 + 0.7 + 0.1 + 0.1) / 5).toFixed(3), "5 (2 diverged)"]);
  const bySeed = rowsOf(two, "Scores of every seed").find((row) => row[2] === "LoRA-Pro")!;
  assertEquals(bySeed.slice(4), [
    "0: diverged (0.100), 1: diverged (0.100), 2: 0.700, 3: 0.710, 4: 0.700",
    "—",
    "5",
  ]);
  // A method that always diverges is worse, and seeds that both lose are no difference.
  const all = build(await diverging([0, 1, 2, 3, 4]));
  assertEquals([rowOf(all)[4], ...rowOf(all).slice(-2)], ["−0.404", "5 and 0", "worse"]);
  const both = rowOf(build(await diverging([0, 1], [0])));
  assertEquals([both[4], both.at(-2)], ["+0.038", "2 and 1"]);
  // Nothing is known of examples where no run finished.
  const nothing = build(await diverging([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]));
  assert(!nothing.tables.some(({ title }) => title === "Comparisons"));
});

Deno.test("buildReport() counts a run that diverged as its base before fine-tuning where chance is unknown, else as 0", async () => {
  const { plan, stored } = await diverging([0, 1]);
  const data = { title: "MNIST", fingerprint: "0".repeat(64), records: {} };
  const real = stored.map((result): RunResult =>
    result.status === "done" ? { ...result, outcome: { ...result.outcome, data } } : result
  );
  const bases = await Promise.all(basesOf(plan.runs.map(({ config }) => config)).map(fakeBase));
  const report = (known: boolean) =>
    buildReport(
      { plan, stored: real, bases: known ? bases : [], faults: [], setAside: [] },
      fakeRegistries,
    );
  const [base] = bases, lost = (value: number) => (0.2 * 3 + (value - 0.5) + (value - 0.51)) / 5;
  for (const [known, value] of [[true, base!.score], [false, 0]] as const) {
    const found = Number(rowsOf(report(known), "Comparisons")[0]![4]!.replace("−", "-"));
    assertAlmostEquals(found, lost(value), 6e-4);
  }
  assertStringIncludes(
    report(true).answer.join("\n"),
    `${base!.score.toFixed(3)} on MNIST, before fine-tuning.`,
  );
});

/** Comparisons of a study of fifteen methods over six seeds. */
async function pairsOf(spec: SweepSpec): Promise<{ judged: Pair[]; others: Pair[] }> {
  const { configs } = expand(spec, manyMethods);
  const stored = await Promise.all(configs.map((config) => fakeDone(config)));
  const study = makeStudy(configs, stored, [], manyMethods, a100), judged = comparePairs(study);
  return { judged, others: compareOthers(study, judged) };
}

const many: SweepSpec = {
  ...fakeSweep,
  optimizers: Object.values(manyMethods.optimizers).map(({ id }) => ({ id })),
  seeds: [0, 1, 2, 3, 4, 5],
};

const told = ({ ours, theirs, comparison: { pValue, corrected, verdict, detectable } }: Pair) => [
  [ours.task.id, ours.rank, ours.method.key, theirs.method.key],
  [pValue, corrected, verdict, detectable],
];

Deno.test("comparePairs() corrects within a task and a baseline: another task, or another baseline, changes no verdict", async () => {
  const both = await pairsOf(many), alone = await pairsOf({ ...many, tasks: [digits] });
  const onDigits = ({ ours }: Pair) => ours.task.id === "digits";
  assertEquals(both.judged.filter(onDigits).map(told), alone.judged.map(told));
  assertEquals(both.others.filter(onDigits).map(told), alone.others.map(told));
  const isAgainstLora = ({ theirs }: Pair) => theirs.method.optimizer === "lora";
  const withoutFull = many.optimizers.filter(({ id }) => id !== "full");
  const { judged } = await pairsOf({ ...many, tasks: [digits], optimizers: withoutFull });
  assertEquals(judged.map(told), alone.judged.filter(isAgainstLora).map(told));
  // There is a correction: the smallest p of a family times its size.
  const family = judged.map(({ comparison }) => comparison);
  assert(family.length > 20);
  const least = Math.min(...family.map(({ pValue }) => pValue!));
  const { corrected } = family.find(({ pValue }) => pValue === least)!;
  assertAlmostEquals(corrected!, Math.min(1, least * family.length), 1e-12);
});

Deno.test("compareOthers() judges no pair a second time", async () => {
  const { judged, others } = await pairsOf({ ...many, tasks: [arithmetic] });
  const name = ({ ours, theirs }: Pair) =>
    [ours, theirs].map(({ method, rank }) => `${method.key} ${rank}`).sort().join(" / ");
  const all = [...judged, ...others].map(name);
  assertEquals(new Set(all).size, all.length);
  // Fifteen methods at two ranks, full fine-tuning without: 14 · 13 / 2 at each rank, and 14 with it.
  assertEquals(all.length, 2 * (91 + 14));
});

Deno.test("buildReport() judges any two methods where none of them is a baseline", async () => {
  const optimizers = [{ id: "lora-ga" }, { id: "lora-pro" }];
  const six = build(await made({ ...fakeSweep, tasks: [digits], optimizers, seeds: [0, 1, 2, 3, 4, 5] }));
  assertEquals(
    six.answer[0],
    "No winner: 6 seeds cannot decide: no difference was shown, nor that one is less than 0.02.",
  );
  assert(
    six.answer[2]!.startsWith("Highest on Shifted digits (n = 6 seeds, 200 examples): at rank 2 LoRA-"),
    six.answer[2],
  );
  assertStringIncludes(six.answer.join("\n"), "and this report has 1.");
  const two = build(await made({ ...fakeSweep, tasks: [digits], optimizers }));
  assert(two.answer[0]!.startsWith("No winner: 2 seeds cannot decide"));
});

Deno.test("buildReport() works out how many seeds are needed from runs that finished: one that diverged would hide the rest", async () => {
  const { plan, stored } = await made(
    fakeSweep,
    (config) =>
      config.optimizer.id === "lora-ga" && config.seed === 0 ? fakeDiverged(config) : fakeDone(config),
  );
  const without = stored.filter(({ status }) => status === "done");
  const [, needed] = build({ plan, stored }).answer, [, same] = build({ plan, stored: without }).answer;
  const spreads = (text: string) => [...text.matchAll(/by about (0\.\d+)/g)].map(([, value]) => value);
  assertEquals(spreads(needed!), spreads(same!));
  assertEquals(spreads(needed!).length, 2);
});
