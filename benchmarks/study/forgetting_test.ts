import { assertAlmostEquals, assertEquals } from "@std/assert";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { a100 } from "../cost/growth/predict.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { forgotten } from "./forgetting.ts";
import { makeStudy } from "./make_study.ts";

/** Score and rise of a run at each rate, the same for all seeds but for a hundredth of a seed's number. */
type Trades = Readonly<Record<string, Readonly<Record<number, readonly [score: number, rise: number]>>>>;

async function found(trades: Trades, seeds: readonly number[]) {
  const spec: SweepSpec = {
    ...fakeSweep,
    tasks: fakeSweep.tasks.slice(0, 1),
    optimizers: Object.entries(trades).map(([id, rates]) => ({
      id,
      learningRates: Object.keys(rates).map(Number),
    })),
    ranks: [4],
    seeds: [...seeds],
  };
  const { configs } = expand(spec, fakeRegistries);
  const make = async (config: RunConfig): Promise<RunResult> => {
    const [score, rise] = trades[config.optimizer.id]![config.schedule.learningRate]!;
    const run = await fakeDone(config), moved = rise + config.seed / 100;
    const forgetting = { corpus: "sums", before: 0.5, after: 0.5 + moved };
    return { ...run, outcome: { ...run.outcome, score, forgetting } };
  };
  const study = makeStudy(configs, await Promise.all(configs.map(make)), [], fakeRegistries, a100);
  return forgotten(study).map(({ cell, ...rest }) => ({ method: cell.method.optimizer, ...rest }));
}

Deno.test("methods are compared in forgetting at the lower of their best scores, on their own fronts", async () => {
  const [full, lora] = await found({
    // The front goes through the first two: the third scores less and forgets more.
    full: { 0.001: [0.4, 0.2], 0.002: [0.8, 1], 0.004: [0.7, 3] },
    lora: { 0.001: [0.5, 0.1], 0.004: [0.6, 0.5] },
  }, [0, 2]);
  // LoRA reaches 0.6 at best, where it forgets 0.5; full fine-tuning is half way from 0.4 to 0.8 there.
  assertAlmostEquals(full!.atEqualScore!.score, 0.6, 1e-12);
  assertAlmostEquals(full!.atEqualScore!.ours, 0.61, 1e-12);
  assertAlmostEquals(full!.atEqualScore!.theirs, 0.51, 1e-12);
  assertAlmostEquals(full!.atEqualScore!.difference, 0.1, 1e-12);
  // Both seeds differ by the same: there is nothing that an interval could be made of but that.
  assertAlmostEquals(full!.atEqualScore!.interval!.high, 0.1, 1e-9);
  assertEquals(lora!.atEqualScore, null);
  assertEquals([full!.corpus, full!.before, full!.seeds], ["sums", 0.5, 2]);
});

Deno.test("at a score below what a method ever has it forgets what its mildest rate does", async () => {
  const [full] = await found({
    full: { 0.001: [0.7, 0.3], 0.002: [0.8, 1] },
    lora: { 0.001: [0.2, 0.1], 0.004: [0.5, 0.4] },
  }, [0]);
  assertAlmostEquals(full!.atEqualScore!.ours, 0.3, 1e-12);
  assertEquals(full!.atEqualScore!.interval, null);
});

Deno.test("at one rate a method has no other score to be compared at", async () => {
  const [full] = await found(
    { full: { 0.001: [0.7, 0.3] }, lora: { 0.001: [0.2, 0.1], 0.004: [0.5, 0.4] } },
    [0],
  );
  assertEquals(full!.atEqualScore, null);
  assertAlmostEquals(full!.rise, 0.3, 1e-12);
});
