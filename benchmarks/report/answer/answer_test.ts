import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { manyMethods } from "../../../tests/support/fakes/registries.ts";
import { build, made, rowsOf } from "../../../tests/support/fakes/reports.ts";
import { fakeDiverged, fakeDone } from "../../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import { expand } from "../../sweep/sweep.ts";
import { buildReport } from "../build.ts";

Deno.test("buildReport() of many methods says what stands out, as often as its table has it, and no more", async () => {
  const optimizers = Object.values(manyMethods.optimizers).map(({ id }) => ({ id }));
  const { configs } = expand({ ...fakeSweep, optimizers, seeds: [0, 1, 2, 3, 4, 5] }, manyMethods);
  const stored = await Promise.all(configs.map((config) => fakeDone(config)));
  const report = buildReport({ plan: null, stored, faults: [], setAside: [] }, manyMethods);
  const rows = rowsOf(report, "Comparisons"), baselines = new Set(rows.map((row) => row[3]!));
  assertEquals(baselines.size, 2);
  for (const baseline of baselines) {
    const said = report.answer.find((text) => text.startsWith(`Against ${baseline}, 4 cases each: `));
    assert(said, report.answer.join("\n"));
    for (const method of new Set(rows.map((row) => row[2]!))) {
      const own = rows.filter((row) => row[2] === method && row[3] === baseline);
      const counts = ["better", "worse", "same"].map((verdict) =>
        [verdict, own.filter((row) => row.at(-1)!.split(/[ ,]/)[0] === verdict).length] as const
      ).filter(([, count]) => count > 0);
      const told = counts.map(([verdict, count]) => `${verdict} in ${count}`).join(", ");
      const entries = said.split(/; |: /).filter((entry) =>
        entry.startsWith(`${method} `) &&
        /^(better|worse|same|identical) /.test(entry.slice(method.length + 1))
      );
      assertEquals(entries, told === "" ? [] : [`${method} ${told}`], said);
    }
    assertStringIncludes(said, "all else undecided");
  }
});

/** What no answer may claim of seeds that decide nothing. */
const claims = /\b(better|worse|same|identical|gap|these seeds|shown)\b/;

Deno.test("buildReport() says that two seeds cannot decide, first of all, what would, and claims nothing", async () => {
  const report = build(await made()), rows = rowsOf(report, "Comparisons");
  const [first, needed, ...rest] = report.answer;
  assertEquals(first, "No winner: 2 seeds cannot decide, and with fewer than 4 no verdict is given.");
  const [, seeds, examples] = /about (\d+) seeds of each method with (\d+) test examples/.exec(needed!)!.map(
    Number,
  );
  assert(
    needed!.startsWith("To show a true difference of 0.05 four times in five takes, by how much the paired"),
  );
  assert(seeds! >= 4 && seeds! < 100 && examples === 200, needed);
  // The pair that seems to differ most is settled first.
  const most = rows.filter((row) => row[3] === "LoRA")
    .toSorted((a, b) =>
      Math.abs(Number(b[4]!.replace("−", "-"))) - Math.abs(Number(a[4]!.replace("−", "-")))
    )[0]!;
  const ids = [["LoRA-GA", "lora-ga"], ["LoRA-Pro", "lora-pro"], ["Shifted", "digits"], [
    "Word",
    "arithmetic",
  ]];
  const idOf = (label: string) => ids.find(([start]) => label.startsWith(start!))![1];
  assertEquals(
    rest[0],
    `To settle one of them: \`./run settle ${idOf(most[2]!)} lora --task ${idOf(most[0]!)} --rank ${
      most[1]
    } --within 0.05\`.`,
  );
  for (const task of ["Shifted digits", "Word problems"]) {
    assertStringIncludes(needed!, `on ${task}, where another`);
  }
  const said = [first!, ...rest].join("\n");
  assert(!claims.test(said), said);
  // Differences are told, and are those of the table.
  const pro = rows.filter((row) => row[2] === "LoRA-Pro" && row[3] === "LoRA")
    .map((row) => Number(row[4]!.replace("−", "-")));
  assertStringIncludes(
    said,
    `LoRA-Pro +${Math.min(...pro).toFixed(3)} to +${Math.max(...pro).toFixed(3)} in 4 cases (wins on`,
  );
  assertEquals(new Set(rows.map((row) => row.at(-1))), new Set(["undecided"]));
  assertEquals(new Set(rows.flatMap((row) => row.slice(8, 12))), new Set(["—"]));
  assertEquals(rowsOf(report, "Scores")[0]![7], "both");
});

Deno.test("buildReport() of one seed and of many methods claims nothing either", async () => {
  const one = build(await made({ ...fakeSweep, seeds: [0] }));
  assertEquals(one.answer.slice(0, 2), [
    "No winner: 1 seed cannot decide, and with fewer than 4 no verdict is given.",
    "How much another seed moves a difference can't be told from one seed: run 4 or more.",
  ]);
  assertEquals(rowsOf(one, "Scores")[0]!.slice(7, 9), ["examples", "—"]);
  assertEquals(new Set(rowsOf(one, "Comparisons").map((row) => row[6])), new Set(["examples"]));
  assert(!one.tables.some(({ title }) => title === "Sources of error"));

  const optimizers = Object.values(manyMethods.optimizers).map(({ id }) => ({ id }));
  const { configs } = expand({ ...fakeSweep, optimizers }, manyMethods);
  const stored = await Promise.all(configs.map((config) => fakeDone(config)));
  const many = buildReport({ plan: null, stored, faults: [], setAside: [] }, manyMethods);
  const told = many.answer.filter((_, i) => i !== 1).join("\n");
  assert(!claims.test(told), told);
  assert(
    /Against LoRA, 4 cases each: observed, not decided, between [+−]0\.\d{3} \(/.test(told),
    told,
  );
});

Deno.test("buildReport() of a tuning sweep tells losses at each method's own rate, the best first, and all at LoRA's", async () => {
  const optimizers = ["full", "lora", "lora-ga"].map((id) => ({ id, learningRates: [0.001, 0.004, 0.016] }));
  const spec = { ...fakeSweep, tasks: [fakeSweep.tasks[0]!], optimizers, ranks: [2], seeds: [0] };
  const { plan, stored } = await made(spec);
  // Losses as the test says, by method and rate; LoRA-GA diverges at LoRA's rate.
  const losses: Record<string, Record<string, number>> = {
    full: { 0.001: 0.2, 0.004: 0.3, 0.016: 0.9 },
    lora: { 0.001: 0.8, 0.004: 0.5, 0.016: 0.4 },
    "lora-ga": { 0.001: 0.35, 0.004: 0.3, 0.016: 0 },
  };
  const told = await Promise.all(stored.map(async (result) => {
    const { config } = result, value = losses[config.optimizer.id]![config.schedule.learningRate]!;
    if (value === 0 || result.status !== "done") return await fakeDiverged(config);
    return { ...result, outcome: { ...result.outcome, validationLoss: [{ step: config.steps, value }] } };
  }));
  const said = build({ plan, stored: told }).answer;
  assert(
    said.includes(
      "Validation loss on Shifted digits at rank 2, each method at its own rate: Full fine-tuning 0.200 (0.001), " +
        "LoRA-GA 0.300 (0.004), LoRA 0.400 (0.016).",
    ),
    said.join("\n"),
  );
  assert(
    said.includes("All at the rate of LoRA, 0.016: LoRA 0.400, Full fine-tuning 0.900."),
  );
  assert(!build(await made()).answer.some((sentence) => sentence.startsWith("Validation loss on")));
});
