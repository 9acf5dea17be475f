import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createRandom, type Random } from "../../numerics/random.ts";
import { comparePooled, FEWEST_TASKS, type PooledComparison } from "./pooled.ts";
import { sampleDeviation } from "./statistics.ts";
import { correct, isShown } from "./verdicts.ts";

const bare = (means: readonly number[]) => means.map((mean) => ({ mean, variance: 0 }));

Deno.test("comparePooled() agrees with a paired t test over ten tasks, worked out elsewhere", () => {
  // Means of LoRA-Pro, full fine-tuning and LoRA on ten tasks, as docs/results.md has them.
  const pro = [0.640, 0.903, 0.676, 0.646, 0.775, 0.227, 0.223, 0.620, 0.680, 0.507];
  const full = [0.712, 0.913, 0.769, 0.701, 0.831, 0.341, 0.423, 0.650, 0.680, 0.652];
  const lora = [0.743, 0.898, 0.693, 0.678, 0.831, 0.208, 0.197, 0.640, 0.620, 0.472];
  const less = (ours: readonly number[], theirs: readonly number[]) =>
    bare(ours.map((score, i) => score - theirs[i]!));
  const worse = comparePooled(less(pro, full));
  assertEquals([worse.tasks, worse.wins, worse.verdict], [10, 0, "worse"]);
  assertAlmostEquals(worse.mean, -0.0775, 1e-9);
  assertAlmostEquals(worse.interval!.low, -0.12208, 1e-5);
  assertAlmostEquals(worse.interval!.high, -0.03292, 1e-5);
  assertAlmostEquals(worse.pValue!, 0.00344, 1e-5);
  const same = comparePooled(less(pro, lora), { margin: 0.05 });
  assertEquals([same.verdict, same.wins], ["same", 5]);
  assertAlmostEquals(same.mean, -0.0083, 1e-9);
  assertAlmostEquals(same.interval!.low, -0.04257, 1e-5);
  assertAlmostEquals(same.interval!.high, 0.02597, 1e-5);
  assertAlmostEquals(same.pWithin!, 0.0112, 1e-4);
  assertEquals(comparePooled(less(pro, lora)).verdict, "undecided");
});

Deno.test("comparePooled() decides nothing with fewer than four tasks, and of one knows no interval", () => {
  for (const count of [1, 2, 3]) {
    const found = comparePooled(bare(Array.from({ length: count }, (_, i) => 0.3 + i / 1e6)));
    assertEquals([found.verdict, found.pValue, found.pWithin], ["undecided", null, null]);
    assertEquals(found.interval === null, count === 1);
  }
  assertEquals(
    comparePooled(bare(Array.from({ length: FEWEST_TASKS }, (_, i) => 0.3 + i / 1e6))).verdict,
    "better",
  );
});

Deno.test("comparePooled() takes tasks that differ by the same number of steps for no more alike than their answers let them be", () => {
  const equal = Array.from({ length: 5 }, () => ({ mean: 0.02, variance: 0.02 ** 2 }));
  const { interval, verdict } = comparePooled(equal);
  // t(0.975, 4) times 0.02 / sqrt(5).
  assertAlmostEquals(interval!.high - 0.02, 2.776445 * 0.02 / Math.sqrt(5), 1e-6);
  assertEquals(verdict, "undecided");
  assertEquals(comparePooled(equal.map((one) => ({ ...one, variance: 0 }))).verdict, "better");
});

/** Differences of a method on tasks that differ by `tasks` beside what seeds and examples add; `drift` is the true mean. */
function drawTasks(
  random: Random,
  count: number,
  drift: number,
  { tasks, noise }: { readonly tasks: number; readonly noise: number },
): PooledComparison {
  const own = random.fork("tasks").normal(count, tasks), luck = random.fork("luck").normal(count, noise);
  return comparePooled(
    Array.from(own, (value, i) => ({ mean: value + luck[i]! + drift, variance: noise ** 2 / 2 })),
    { margin: 0.05 },
  );
}

Deno.test("comparePooled() holds the mean over new tasks as often as it says, and its families find nothing where nothing is", () => {
  const random = createRandom(61), repeats = 400, methods = 14;
  for (
    const [count, deviations] of [
      [5, { tasks: 0.04, noise: 0.03 }],
      [10, { tasks: 0.05, noise: 0.03 }],
      [10, { tasks: 0, noise: 0.04 }],
    ] as const
  ) {
    let held = 0, found = 0, any = 0, same = 0;
    for (let i = 0; i < repeats; i++) {
      const family = (drift: number) =>
        Array.from(
          { length: methods },
          (_, k) =>
            drawTasks(random.fork(`${count} ${deviations.tasks} ${i} ${k}`), count, drift, deviations),
        );
      const none = family(0), apart = correct(family(-0.05));
      held += none.filter(({ interval }) => interval!.low <= 0 && interval!.high >= 0).length / methods;
      if (none.some(({ verdict }) => isShown(verdict))) any++;
      if (correct(none).some(({ verdict }) => isShown(verdict))) found++;
      if (apart.some(({ isWithin }) => isWithin)) same++;
    }
    const at = `${count} tasks, ${deviations.tasks}`;
    assert(held / repeats > 0.94 && held / repeats < 0.985, `${at}: ${held} of ${repeats}`);
    // Three standard errors of a true share of 5% are 3.3%.
    assert(found / repeats < 0.083, `${at}: ${found} of ${repeats} families`);
    assert(same / repeats < 0.083, `${at}: the same in ${same} of ${repeats} families`);
    assert(any / repeats > 0.3, `${at}, uncorrected: ${any} of ${repeats}`);
  }
});

Deno.test("comparePooled() is about tasks: seeds that agree within each make no verdict of tasks that disagree", () => {
  const random = createRandom(62), repeats = 400;
  let found = 0;
  for (let i = 0; i < repeats; i++) {
    const { verdict } = drawTasks(random.fork(String(i)), 6, 0, { tasks: 0.1, noise: 0.001 });
    if (isShown(verdict)) found++;
  }
  assert(found / repeats < 0.083 && found > 0, `${found} of ${repeats}`);
  const tasks = [...random.normal(6, 0.1)];
  const { interval } = comparePooled(bare(tasks));
  assertAlmostEquals(
    interval!.high - interval!.low,
    2 * 2.570582 * sampleDeviation(tasks) / Math.sqrt(6),
    1e-6,
  );
});
