import { assertAlmostEquals, assertEquals } from "@std/assert";
import { resolveRuns } from "../../training/resolve/resolve.ts";
import { Forecast, type Pace, paceOf } from "./estimate.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import { countRuns } from "./run_work.ts";

const configs = (await fakePlan()).runs.map(({ config }) => config);
const workOf = await countRuns(await resolveRuns(configs, fakeRegistries));
const [full, lora] = configs;
const arithmetic = configs.find(({ task }) => task.id === "arithmetic")!;

/** The pace of a run of this kind that took so long as it was planned, and as many FLOPs as `like` has. */
function pace(task: string, optimizer: string, rank: number, totalMs: number, like = lora!): Pace {
  return { ...paceOf(like, workOf(like), totalMs), task, optimizer, rank };
}

const paces = [
  pace("digits", "lora", 8, 100_000),
  pace("digits", "lora", 2, 200_000),
  pace("arithmetic", "lora", 2, 1_000_000),
];

Deno.test("Forecast takes the most similar paces: same rank, else same method, else same task, else any", () => {
  const estimate = (some: readonly Pace[], config = lora!) => new Forecast(workOf, some).estimateMs(config)!;
  assertAlmostEquals(estimate(paces), 200_000, 1);
  assertAlmostEquals(estimate(paces.toSpliced(1, 1)), 100_000, 1);
  /** Work as fast as LoRA's, where that takes `totalMs`: no wait is as long. */
  const at = (totalMs: number) => totalMs * workOf(full!).training.flops / workOf(lora!).training.flops;
  assertAlmostEquals(estimate(paces, full!) / at(150_000), 1, 0.01);
  assertAlmostEquals(estimate(paces.slice(2), full!) / at(1_000_000), 1, 0.01);
});

Deno.test("Forecast admits that it doesn't know", () => {
  const forecast = new Forecast(workOf);
  assertEquals([forecast.estimateMs(full!), forecast.estimateAllMs(configs)], [null, null]);
  assertEquals(forecast.estimateAllMs([]), 0);
});

Deno.test("Forecast learns from runs of this machine: training from the most similar, scoring from the same task alone", () => {
  const forecast = new Forecast(workOf, paces);
  const planned = forecast.partsOf(lora!)!;
  const twice = { trainingMs: 2 * planned.trainingMs, startedAtStep: 0, startMs: 0 };
  forecast.note(lora!, { ...twice, scoringMs: 700 });
  const { trainingMs, scoringMs } = forecast.partsOf(lora!)!;
  assertAlmostEquals(trainingMs, 2 * planned.trainingMs, 1e-6);
  assertAlmostEquals(scoringMs, 700, 1e-6);
  // Another task: its training is as much slower, its scoring is as it is counted.
  const before = new Forecast(workOf, paces).partsOf(arithmetic)!, after = forecast.partsOf(arithmetic)!;
  assertAlmostEquals(after.trainingMs, 2 * before.trainingMs, 1e-6);
  assertEquals(after.scoringMs > before.scoringMs && after.scoringMs <= 2 * before.scoringMs, true);
  // The middle one of three counts: a machine that is busy now and then makes no forecast late.
  forecast.note(lora!, { ...twice, trainingMs: 20 * planned.trainingMs, scoringMs: 9000 });
  forecast.note(lora!, { ...twice, trainingMs: 3 * planned.trainingMs, scoringMs: 800 });
  assertAlmostEquals(forecast.partsOf(lora!)!.trainingMs, 3 * planned.trainingMs, 1e-6);
  assertAlmostEquals(forecast.partsOf(lora!)!.scoringMs, 800, 1e-6);
});

Deno.test("Forecast takes the base checkpoint's score for how a task is scored, until a run tells", () => {
  const slow = [pace("arithmetic", "lora", 2, 1e7, arithmetic)], forecast = new Forecast(workOf, slow);
  const planned = forecast.partsOf(arithmetic)!, base = forecast.baseMs(arithmetic);
  forecast.noteBase(arithmetic, 3 * base);
  assertAlmostEquals(forecast.partsOf(arithmetic)!.scoringMs, 3 * planned.scoringMs, 1e-3);
  forecast.note(arithmetic, { startedAtStep: 0, startMs: 0, trainingMs: planned.trainingMs, scoringMs: 50 });
  assertAlmostEquals(forecast.partsOf(arithmetic)!.scoringMs, 50, 1e-6);
  // A short one tells of compiling kernels.
  const fast = [pace("arithmetic", "lora", 2, 1000, arithmetic)];
  const quick = new Forecast(workOf, fast), { scoringMs } = quick.partsOf(arithmetic)!;
  quick.noteBase(arithmetic, 9000);
  assertEquals(quick.partsOf(arithmetic)!.scoringMs, scoringMs);
});

Deno.test("Forecast tells a run's start from its steps, and a sweep's time from all its runs", () => {
  const forecast = new Forecast(workOf, paces);
  const { trainingMs, scoringMs } = forecast.partsOf(lora!)!;
  const share = forecast.shareUntil(lora!, 2);
  // As fast as planned after its start; the first run of a task compiles for all others.
  for (const compiling of [60_000, 5000]) {
    forecast.note(lora!, {
      startedAtStep: 2,
      startMs: compiling + share * trainingMs,
      trainingMs: (1 - share) * trainingMs,
      scoringMs,
    });
  }
  assertAlmostEquals(forecast.estimateMs(lora!)!, 5000 + trainingMs + scoringMs, 1e-6);
  const one = forecast.estimateMs(lora!)!;
  assertAlmostEquals(forecast.estimateAllMs([lora!, { ...lora!, seed: 7 }, lora!])!, 3 * one, 1e-6);
});
