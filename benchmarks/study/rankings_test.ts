import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { choose } from "../rates/choose.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import type { RateEvidence } from "../rates/rates.ts";
import type { SweepSpec } from "../sweep/sweep.ts";
import { buildReport } from "../report/build.ts";
import { sharedRate } from "./rankings.ts";
import type { Report } from "../report/report.ts";

/** A grid of one seed by rate and loss; null where it diverged. */
function grid(losses: Readonly<Record<string, number | null>>): RateEvidence[] {
  return Object.entries(losses).map(([learningRate, loss]) => ({
    learningRate: Number(learningRate),
    seeds: [0],
    validationLosses: [loss],
  }));
}

Deno.test("sharedRate() is where the worst served method loses least, however many others are nearly the same", () => {
  // Beside their own least losses, 0.1 costs the second 2, 0.2 at most 0.5, and 0.4 the first 2.
  const one = grid({ 0.1: 1, 0.2: 1.2, 0.4: 3 }), other = grid({ 0.1: 3, 0.2: 1.5, 0.4: 1 });
  assertEquals(sharedRate([one, other]), 0.2);
  assertEquals(sharedRate([one, one, one, one, other]), 0.2);
  assertEquals(sharedRate([other, other, other, one]), 0.2);
  // A method that is bad everywhere has no more weight than what a rate changes for it.
  assertEquals(sharedRate([one, other, grid({ 0.1: 9, 0.2: 9.1, 0.4: 9.2 })]), 0.2);
});

Deno.test("sharedRate() looks only at rates that all were run at to the end, and there may be none", () => {
  // The best rate of either is unknown of the other.
  assertEquals(sharedRate([grid({ 0.1: 2, 0.2: 0.1, 0.4: 3 }), grid({ 0.1: 2, 0.4: 3, 0.8: 0.1 })]), 0.1);
  assertEquals(sharedRate([grid({ 0.1: 1, 0.2: 2, 0.4: 3 }), grid({ 0.2: 5, 0.4: null })]), 0.2);
  assertEquals(sharedRate([grid({ 0.4: 1, 0.1: 1 }), grid({ 0.1: 2, 0.4: 2 })]), 0.1);
  assertEquals(sharedRate([grid({ 5: 1, 6: 2 }), grid({ 0.1: 2, 0.2: 1 })]), null);
  assertEquals(sharedRate([grid({ 5: 1, 6: null }), grid({ 5: null, 6: 1 })]), null);
});

const learningRates = [0.001, 0.004, 0.016];

/** A report of methods that end with such validation losses and share of right answers by rate; null diverges. */
async function reportOf(
  outcomes: Readonly<Record<string, readonly (readonly [loss: number, score: number] | null)[]>>,
  spec: Partial<SweepSpec> = {},
): Promise<Report> {
  const plan = await fakePlan({
    ...fakeSweep,
    tasks: [fakeSweep.tasks[0]!],
    optimizers: Object.keys(outcomes).map((id) => ({ id, learningRates })),
    ranks: [2],
    ...spec,
  });
  const make = async (config: RunConfig): Promise<RunResult> => {
    const outcome = outcomes[config.optimizer.id]![learningRates.indexOf(config.schedule.learningRate)]!;
    if (outcome === null) return await fakeDiverged(config);
    const [value, score] = outcome, done = await fakeDone(config);
    const scores = done.outcome.scores.map((_, i) => i < score * done.outcome.scores.length ? 1 : 0);
    return { ...done, outcome: { ...done.outcome, score, scores, validationLoss: [{ step: 1, value }] } };
  };
  const stored = await Promise.all(plan.runs.map(({ config }) => make(config)));
  return buildReport({ plan, stored, faults: [], setAside: [] }, fakeRegistries);
}

function rowsOf(report: Report): readonly (readonly string[])[] {
  return report.tables.find(({ title }) => title.startsWith("Rankings"))?.rows ?? [];
}

Deno.test("buildReport() ranks methods at their own rates and at one shared rate side by side, edges marked", async () => {
  const report = await reportOf({
    full: [[0.9, 0.3], [0.2, 0.9], [0.8, 0.4]],
    lora: [[0.7, 0.3], [0.6, 0.4], [0.3, 0.7]],
    "lora-ga": [[0.5, 0.6], [0.4, 0.705], [0.9, 0.2]],
    "lora-pro": [[0.9, 0.1], [0.5, 0.5], null],
  });
  // 0.004 is the best that three of them have, and LoRA's second; LoRA-Pro diverged at LoRA's first.
  assertEquals(rowsOf(report).map((row) => row.slice(2)), [
    ["accuracy", "Full fine-tuning", "0.004", "0.900", "1", "0.004", "0.900", "1", "2", "200"],
    ["accuracy", "LoRA-GA", "0.004", "0.705", "2", "0.004", "0.705", "2", "2", "200"],
    ["accuracy", "LoRA", "0.016 (edge)", "0.700", "3", "0.004", "0.400", "4", "2", "200"],
    ["accuracy", "LoRA-Pro", "0.004", "0.500", "4", "0.004", "0.500", "3", "2", "200"],
  ]);
  assertStringIncludes(
    report.answer.join("\n"),
    "Methods whose place changes where all share one learning rate: on Shifted digits at rank 2, by score, all at 0.004: " +
      "2 of 4, the furthest LoRA from 3 to 4.",
  );
  assertStringIncludes(report.caveats.join("\n"), "1 chosen rate is at the edge of its grid");
  const near = await reportOf({
    lora: [[1, 0.2], [0.5, 0.505], [0.9, 0.4]],
    full: [[1, 0.1], [0.4, 0.5], [2, 0.4]],
  });
  assertEquals(rowsOf(near).map((row) => [row[3], row[6], row[9]]), [
    ["LoRA", "1", "1"],
    ["Full fine-tuning", "2", "2"],
  ]);
});

Deno.test("buildReport() ranks at no rate that a method diverged at, and says where there is no other", async () => {
  const diverging = {
    full: [[0.9, 0.3], [0.2, 0.9], [0.8, 0.4]],
    lora: [[0.7, 0.3], [0.6, 0.4], [0.9, 0.2]],
    "lora-ga": [[0.5, 0.6], null, [0.9, 0.2]],
  } as const;
  const rowOf = (report: Report) => rowsOf(report).find(([, , , method]) => method!.startsWith("LoRA-GA"))!;
  const report = await reportOf(diverging);
  assertEquals(rowOf(report).slice(4), ["0.001 (edge)", "0.600", "2", "0.001", "0.600", "1", "2", "200"]);
  const none = await reportOf({ ...diverging, lora: [null, [0.6, 0.4], null] });
  assertEquals(rowOf(none).slice(4), ["0.001 (edge)", "0.600", "2", "—", "—", "—", "2", "200"]);
  assertStringIncludes(
    none.answer.join("\n"),
    "No rate was run to the end by all methods on Shifted digits at rank 2: no order at one rate.",
  );
  assert(!none.answer.join("\n").includes("share one learning rate"));
});

Deno.test("buildReport() ranks by the tuning's validation losses where a sweep took its rates from another", async () => {
  const spec: SweepSpec = {
    ...fakeSweep,
    tasks: [fakeSweep.tasks[0]!],
    optimizers: ["full", "lora", "lora-pro"].map((id) => ({ id, learningRates })),
    ranks: [2],
    seeds: [100],
  };
  const tuning = await Promise.all((await fakePlan(spec)).runs.map(({ config }) => fakeDone(config)));
  const { rates } = choose("tune", tuning);
  const optimizers = rates.map(({ optimizer, learningRate }) => ({
    id: optimizer,
    learningRates: [learningRate],
  }));
  const plan = { ...await fakePlan({ ...spec, optimizers, seeds: [0, 1] }), rates, ratesFrom: "tune" };
  const stored = await Promise.all(plan.runs.map(({ config }) => fakeDone(config)));
  const report = buildReport({ plan, stored, faults: [], setAside: [] }, fakeRegistries),
    rows = rowsOf(report);
  assertEquals(rows.map((row) => row[2]), Array(3).fill("validation loss"));
  assertEquals(rows.map((row) => [row[6], row.at(-2), row.at(-1)]), [
    ["1", "1", "—"],
    ["2", "1", "—"],
    ["3", "1", "—"],
  ]);
  assert(
    rows.every((row) => Number(row[5]) <= Number(row[8])),
    "no method is better at another rate than its own",
  );
  // Rates that were taken over from rank 2 have no losses of rank 8 behind them.
  const other = await fakePlan({ ...spec, optimizers, ranks: [8], seeds: [0] });
  const results = await Promise.all(other.runs.map(({ config }) => fakeDone(config)));
  const taken = { plan: { ...other, rates, ratesFrom: "tune" }, stored: results, faults: [], setAside: [] };
  assertEquals(rowsOf(buildReport(taken, fakeRegistries)), []);
  assertStringIncludes(
    report.answer.join("\n"),
    'Learning rates: of each method its own, the one with the least validation loss of 3 rates (n = 1 seed a rate, sweep "tune"). ' +
      "Scores: on test data, once a run, at its end; nothing in this report was chosen by them.",
  );
});

Deno.test("buildReport() has no rankings where rates were stated or one method alone was tuned", async () => {
  assertEquals(rowsOf(await reportOf({ full: [[0.9, 0.3], [0.2, 0.9], [0.8, 0.4]] })), []);
  const plan = await fakePlan();
  const stored = await Promise.all(plan.runs.map(({ config }) => fakeDone(config)));
  const report = buildReport({ plan, stored, faults: [], setAside: [] }, fakeRegistries);
  assertEquals(rowsOf(report), []);
  assert(!report.answer.join("\n").includes("share one learning rate"));
});
