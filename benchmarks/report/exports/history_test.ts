import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fakeDiverged, fakeDone, fakeFailed } from "../../../tests/support/fakes/results.ts";
import { fakePlan } from "../../../tests/support/fakes/sweep.ts";
import { historyOf, toHistory } from "./history.ts";

async function configs() {
  return (await fakePlan()).runs.map(({ config }) => config);
}

Deno.test("toHistory() tells a run in lines: its config, each step with all that is known of it, its end", async () => {
  const run = await fakeDone((await configs())[1]!);
  const text = toHistory(run);
  assert(text.endsWith("}\n"));
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const [config, ...rest] = lines, summary = rest.pop(), { outcome } = run;
  assertEquals(config.config, run.config);
  assertEquals([config._type, config._run, config.name], [
    "config",
    `run-${run.id}`,
    "digits, lora r2, lr 0.004, seed 0",
  ]);
  assert(rest.every((line) => line._type === "history" && line._run === config._run));
  const steps = rest.map((line) => line._step);
  assertEquals(steps, [...new Set(steps)].sort((a, b) => a - b));
  for (
    const [name, points] of [["train/loss", outcome.trainLoss], [
      "validation/loss",
      outcome.validationLoss,
    ]] as const
  ) {
    const told = rest.filter((line) => name in line).map((line) => ({ step: line._step, value: line[name] }));
    assertEquals(told, [...points]);
  }
  // Numbers alone, so that a data frame has no column of objects.
  for (const { _type, _run, ...values } of rest) {
    assert(Object.values(values).every((value) => typeof value === "number"), JSON.stringify(values));
  }
  assertEquals([summary._type, summary.status, summary.score], ["summary", "done", outcome.score]);
  assertEquals(summary["cost/peak_bytes"], outcome.cost.peakBytes);
  assertEquals(summary["pretraining/loss"], outcome.forgetting!.after);
});

Deno.test("historyOf() gives each map's measurements and their mean, the rate of the step, and clocks from the stored pace", async () => {
  const run = await fakeDone((await configs())[1]!);
  const { discrepancies, cost } = run.outcome;
  const at6 = historyOf(run).find((line) => line["_step"] === 6)!;
  const own = discrepancies.filter(({ step }) => step === 6);
  assertEquals(own.length, 2);
  for (const { targetModule, gradientError } of own) {
    assertEquals(at6[`telemetry/gradient_error/${targetModule}`], gradientError);
  }
  assertAlmostEquals(
    at6["telemetry/gradient_error"] as number,
    (own[0]!.gradientError + own[1]!.gradientError) / 2,
    1e-12,
  );
  // Cosine from step 4 of 40 on.
  assertAlmostEquals(at6["learning_rate"] as number, 0.002 * (1 + Math.cos(Math.PI * 2 / 36)), 1e-12);
  const runtime = (cost.attachMs + 6 * cost.medianStepMs!) / 1000;
  assertEquals([at6["_runtime"], at6["_timestamp"]], [runtime, Date.UTC(2026, 0, 1) / 1000 + runtime]);
  const before = historyOf(run).find((line) => line["_step"] === 0)!;
  assert(!("learning_rate" in before) && "validation/loss" in before);
  // Full fine-tuning has no factors: no bound, no move of A.
  const full = historyOf(await fakeDone((await configs())[0]!));
  assert(!full.some((line) => Object.keys(line).some((key) => /bound|move_of_a/.test(key))));
});

Deno.test("historyOf() tells of runs that diverged or failed what there is, and of a run without telemetry nothing made up", async () => {
  const [config] = await configs();
  const diverged = historyOf(await fakeDiverged(config!));
  assertEquals(diverged.map((line) => line["_type"]), ["config", "history", "summary"]);
  assertEquals(diverged[1], {
    _type: "history",
    _run: diverged[0]!["_run"],
    _step: 1,
    learning_rate: 0.0005,
    "train/loss": 2,
  });
  assertEquals([diverged[2]!["status"], diverged[2]!["_step"]], ["diverged", 20]);
  const failed = historyOf(await fakeFailed(config!));
  assertEquals(failed.length, 2);
  assertEquals(failed[1]!["error"], "Cannot go on: the device was lost");
  const silent = await fakeDone({ ...config!, telemetryEvery: 0 });
  const { trainLoss: _, ...outcome } = silent.outcome;
  const nothing = historyOf({ ...silent, outcome: { ...outcome, trainLoss: [], validationLoss: [] } });
  assertEquals(nothing.map((line) => line["_type"]), ["config", "summary"]);
  assert(!("train/loss" in nothing[1]!));
  // A clock that says no time.
  const timeless = { ...silent, environment: { ...silent.environment, startedAt: "yesterday" } };
  assert(historyOf(timeless).every((line) => !("_timestamp" in line)));
});
