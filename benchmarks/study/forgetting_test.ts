import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { a100 } from "../cost/growth/predict.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { forgotten } from "./forgetting.ts";
import { makeStudy } from "./make_study.ts";

/** Score and rise of a run at each rate, the same for all seeds but for a hundredth of a seed's number. */
type Trades = Readonly<Record<string, Readonly<Record<number, readonly [score: number, rise: Rise]>>>>;
type Rise = number | ((seed: number) => number);

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
    const { seed } = config, run = await fakeDone(config);
    const moved = (typeof rise === "number" ? rise : rise(seed)) + seed / 100;
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

Deno.test("a method forgets less for certain where all comparisons of the task hold together, from four seeds on", async () => {
  // LoRA's rise is 0.5 at 0.6 on each seed; what seeds add goes to both alike, so differences are equal but for rounding.
  const lora = { 0.001: [0.5, 0.1], 0.004: [0.6, 0.5] } as const;
  const trades = { full: { 0.001: [0.6, 0.2], 0.002: [0.8, 1] }, lora } as const;
  const few = await found(trades, [0, 1, 2]), enough = await found(trades, [0, 1, 2, 3]);
  assertEquals(few.map(({ atEqualScore }) => atEqualScore?.verdict), [null, undefined]);
  assertEquals(enough.map(({ atEqualScore }) => atEqualScore?.verdict), ["less", undefined]);
  const worse = { full: { 0.001: [0.6, 0.9], 0.002: [0.8, 1] }, lora } as const;
  assertEquals((await found(worse, [0, 1, 2, 3]))[0]!.atEqualScore!.verdict, "more");
});

Deno.test("one interval in twenty is not enough where a task has several comparisons", async () => {
  const lora = { 0.001: [0.5, 0.1], 0.004: [0.6, 0.5] } as const;
  // Less by 0.3 on the mean, by so much more or less that the interval of one comparison just stays below 0.
  const wavering = {
    0.001: [0.6, (seed: number) => 0.2 + 0.16 * (seed % 2 === 0 ? 1 : -1)],
    0.002: [0.8, 1],
  } as const;
  const alone = await found({ full: wavering, lora }, [0, 1, 2, 3]);
  const among = await found({ full: wavering, "lora-ga": wavering, "lora-pro": wavering, lora }, [
    0,
    1,
    2,
    3,
  ]);
  assert(alone[0]!.atEqualScore!.interval!.high < 0);
  assertEquals(alone[0]!.atEqualScore!.verdict, "less");
  const verdicts = among.flatMap(({ atEqualScore }) => atEqualScore?.verdict ?? []);
  assertEquals(verdicts, ["undecided", "undecided", "undecided"]);
  // The interval that the table shows is that of the comparison by itself.
  assertAlmostEquals(among[0]!.atEqualScore!.interval!.high, alone[0]!.atEqualScore!.interval!.high, 1e-12);
});
