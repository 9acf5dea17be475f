import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createRandom, type Random } from "../numerics/random.ts";
import {
  bootstrapInterval,
  compare,
  type ErrorSources,
  errorSources,
  estimate,
  mean,
  median,
  sampleDeviation,
  studentInterval,
  studentQuantile,
} from "./statistics.ts";

function assertNear(actual: number, expected: number, tolerance = 1e-3): void {
  assert(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} to ${tolerance}`);
}

Deno.test("mean(), median() and sampleDeviation() agree with a worked example", () => {
  const values = [2, 4, 4, 4, 5, 5, 7, 9];
  assertEquals(mean(values), 5);
  assertEquals(median(values), 4.5);
  assertEquals(median([3, 1, 2]), 2);
  assertNear(sampleDeviation(values), Math.sqrt(32 / 7), 1e-12);
});

Deno.test("studentQuantile() agrees with printed tables", () => {
  const table: [number, number, number][] = [
    [0.975, 1, 12.7062],
    [0.975, 2, 4.3027],
    [0.975, 3, 3.1824],
    [0.975, 4, 2.7764],
    [0.975, 9, 2.2622],
    [0.975, 30, 2.0423],
    [0.95, 5, 2.015],
    [0.995, 10, 3.1693],
    [0.975, 1000, 1.9623],
  ];
  for (const [probability, freedom, expected] of table) {
    assertNear(studentQuantile(probability, freedom), expected);
  }
});

Deno.test("studentInterval() of five values agrees with a worked example", () => {
  // Mean 10, deviation sqrt(2.5), t(0.975, 4) = 2.7764: 10 ± 1.9633.
  const interval = studentInterval([8, 9, 10, 11, 12])!;
  assertNear(interval.low, 8.0367);
  assertNear(interval.high, 11.9633);
});

Deno.test("studentInterval() knows nothing from one value", () => {
  assertEquals(studentInterval([0.5]), null);
});

Deno.test("bootstrapInterval() is close to the normal one for many values and the same for the same seed", () => {
  const values = Array.from({ length: 400 }, (_, i) => i % 4 === 0 ? 1 : 0);
  const interval = bootstrapInterval(values, createRandom(3))!;
  // sqrt(0.25 · 0.75 / 400) · 1.96 = 0.0424.
  assertNear(interval.low, 0.25 - 0.0424, 0.008);
  assertNear(interval.high, 0.25 + 0.0424, 0.008);
  assertEquals(bootstrapInterval(values, createRandom(3)), interval);
});

Deno.test("estimate() adds the variance of seeds and examples", () => {
  // Seeds' means 0.75 and 0.25: variance of their mean 0.125 / 2 = 0.0625, one degree of freedom.
  // Examples' means 0.5, 0.5, 1, 0: variance of their mean (0.5 / 3) / 4 = 0.041667, three.
  const found = estimate([[1, 1, 1, 0], [0, 0, 1, 0]]);
  assertEquals(found.mean, 0.5);
  assertEquals([found.seeds, found.examples], [2, 4]);
  // 0.104167² / (0.0625² / 1 + 0.041667² / 3) = 2.42: two degrees of freedom, t = 4.3027.
  assertNear(found.interval!.high - 0.5, 4.3027 * Math.sqrt(0.0625 + 0.0416667));
});

Deno.test("estimate() of one seed speaks about examples only", () => {
  const found = estimate([[1, 0, 1, 1]]);
  assertEquals(found.overSeeds, null);
  assert(found.interval !== null);
});

Deno.test("estimate() of one seed and one example gives no interval", () => {
  assertEquals(estimate([[1]]).interval, null);
});

Deno.test("compare() calls equal methods a tie with a width of 0", () => {
  const found = compare([[1, 0, 1], [0, 0, 1]], [[1, 0, 1], [0, 0, 1]]);
  assertEquals(found.interval, { low: 0, high: 0 });
  assertEquals(found.verdict, "tie");
});

Deno.test("compare() sees a difference that each method's own spread would hide", () => {
  const theirs = Array.from({ length: 200 }, (_, i) => i % 2);
  const ours = theirs.map((score, i) => i % 10 === 0 ? 1 : score);
  const better = compare([ours, ours], [theirs, theirs]);
  assertEquals(better.verdict, "better");
  assertNear(better.mean, 0.1, 1e-12);
  assertEquals(compare([theirs, theirs], [ours, ours]).verdict, "worse");
  assert(estimate([ours, ours]).interval!.low < estimate([theirs, theirs]).interval!.high);
});

Deno.test("compare() calls seeds that disagree a tie", () => {
  const zeros = Array.from({ length: 100 }, () => 0);
  const some = zeros.map((_, i) => i < 40 ? 1 : 0), few = zeros.map((_, i) => i < 2 ? 1 : 0);
  assertEquals(compare([some, few], [zeros, zeros]).verdict, "tie");
});

Deno.test("compare() refuses methods with different seeds", () => {
  assertThrows(() => compare([[1]], [[1], [0]]), RangeError, "differ in seeds");
});

/** Scores of two-way random effects with standard deviations `seeds`, `examples` and `both`. */
function drawScores(
  random: Random,
  [seeds, examples]: readonly [number, number],
  deviations: { readonly seeds: number; readonly examples: number; readonly both: number },
): number[][] {
  const a = random.fork("a").normal(seeds, deviations.seeds);
  const b = random.fork("b").normal(examples, deviations.examples);
  const c = random.fork("c").normal(seeds * examples, deviations.both);
  return Array.from(a, (own, s) => Array.from(b, (hard, e) => 0.5 + own + hard + c[s * examples + e]!));
}

Deno.test("errorSources() of a small table is what analysis of variance gives by hand", () => {
  // Rows 1 2 3 and 3 4 8: means 2 and 5; columns 2, 3, 5.5; all 3.5.
  const found = errorSources([[1, 2, 3], [3, 4, 8]])!;
  // Mean squares: seeds 3 (1.5² + 1.5²) / 1, examples 2 (1.5² + 0.5² + 2²) / 2, the rest (4 · 0.5² + 2 · 1) / 2.
  const seeds = 13.5, examples = 6.5, rest = 1.5;
  assertAlmostEquals(found.seeds ** 2, (seeds - rest) / 3 / 2, 1e-12);
  assertAlmostEquals(found.examples ** 2, (examples - rest) / 2 / 3, 1e-12);
  assertAlmostEquals(found.both ** 2, rest / 6, 1e-12);
  assertAlmostEquals(found.total ** 2, (seeds + examples - rest) / 6, 1e-12);
  // The spread is that of the two means, 2 and 5.
  assertAlmostEquals(found.spread, sampleDeviation([2, 5]), 1e-12);
});

Deno.test("errorSources() finds the components that synthetic scores were drawn with, each by itself", () => {
  const random = createRandom(11), tables = 400;
  for (
    const [sizes, truth] of [
      [[3, 50], { seeds: 0.3, examples: 0.4, both: 0.2 }],
      [[2, 100], { seeds: 0.05, examples: 0.4, both: 0.3 }],
      [[5, 20], { seeds: 0.3, examples: 0, both: 0.5 }],
      [[8, 30], { seeds: 0, examples: 0.4, both: 0 }],
    ] as const
  ) {
    const [seeds, examples] = sizes;
    const found = Array.from(
      { length: tables },
      (_, i) => errorSources(drawScores(random.fork(`${sizes} ${truth.seeds} ${i}`), sizes, truth))!,
    );
    const squared = (read: (one: ErrorSources) => number) => mean(found.map((one) => read(one) ** 2));
    const wanted = {
      seeds: truth.seeds ** 2 / seeds,
      examples: truth.examples ** 2 / examples,
      both: truth.both ** 2 / (seeds * examples),
      spread: truth.seeds ** 2 + truth.both ** 2 / examples,
    };
    const total = wanted.seeds + wanted.examples + wanted.both;
    for (const source of ["seeds", "examples", "both", "spread"] as const) {
      // Means of 400 tables: a variance with one degree of freedom is known to 7 % then. What can't fall below 0 is more.
      const margin = 0.25 * wanted[source] + 0.04 * total;
      assertAlmostEquals(squared((one) => one[source]), wanted[source], margin, `${sizes} ${source}`);
    }
    // The total is of the mean: its square is the variance of means of tables drawn anew.
    const means = Array.from(
      { length: 2000 },
      (_, i) => mean(drawScores(random.fork(`again ${sizes} ${truth.seeds} ${i}`), sizes, truth).map(mean)),
    );
    assertAlmostEquals(sampleDeviation(means) ** 2, total, 0.15 * total, `${sizes}`);
  }
});

Deno.test("errorSources() needs two seeds and two examples, and is 0 where nothing varies", () => {
  assertEquals(errorSources([[1, 0, 1]]), null);
  assertEquals(errorSources([[1], [0]]), null);
  assertEquals(errorSources([]), null);
  const none = { seeds: 0, examples: 0, both: 0, total: 0, spread: 0 };
  assertEquals(errorSources([[1, 1, 1], [1, 1, 1]]), none);
  // Seeds that agree on every example: all is the test set's.
  const agreeing = errorSources([[1, 0, 0, 1], [1, 0, 0, 1]])!;
  assertEquals([agreeing.seeds, agreeing.both, agreeing.spread], [0, 0, 0]);
  assertAlmostEquals(agreeing.examples, sampleDeviation([1, 0, 0, 1]) / 2, 1e-12);
});

Deno.test("estimate() says which sources its interval has", () => {
  assertEquals(estimate([[1, 0, 1, 1]]).sources, ["examples"]);
  assertEquals(estimate([[1], [0]]).sources, ["seeds"]);
  assertEquals(estimate([[1, 0], [0, 0]]).sources, ["seeds", "examples"]);
  assertEquals(estimate([[1]]).sources, []);
});
