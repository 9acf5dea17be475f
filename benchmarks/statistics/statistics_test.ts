import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createRandom, type Random } from "../../numerics/random.ts";
import { drawRight } from "../../tests/support/draw_scores.ts";
import {
  type ErrorSources,
  errorSources,
  estimate,
  mean,
  median,
  sampleDeviation,
  studentInterval,
  wilsonInterval,
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

Deno.test("studentInterval() of five values agrees with a worked example", () => {
  // Mean 10, deviation sqrt(2.5), t(0.975, 4) = 2.7764: 10 ± 1.9633.
  const interval = studentInterval([8, 9, 10, 11, 12])!;
  assertNear(interval.low, 8.0367);
  assertNear(interval.high, 11.9633);
});

Deno.test("studentInterval() knows nothing from one value", () => {
  assertEquals(studentInterval([0.5]), null);
});

Deno.test("wilsonInterval() agrees with Newcombe's examples (Statistics in Medicine 17, 1998, table I)", () => {
  const table: [number, number, number, number][] = [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ];
  for (const [right, count, low, high] of table) {
    const interval = wilsonInterval(right / count, count)!;
    assertNear(interval.low, low, 5e-5);
    assertNear(interval.high, high, 5e-5);
  }
  assertEquals(wilsonInterval(1, 1), null);
});

Deno.test("estimate() of one seed is Wilson's interval of its share of right examples", () => {
  const scores = Array.from({ length: 148 }, (_, i) => i < 15 ? 1 : 0);
  const { interval, overExamples, overSeeds, sources } = estimate([scores]);
  assertNear(interval!.low, 0.0624, 5e-5);
  assertNear(interval!.high, 0.1605, 5e-5);
  assertEquals([overExamples, overSeeds, sources], [interval, null, ["examples"]]);
  // A second seed that agrees on every example says nothing new about examples.
  assertEquals(estimate([scores, scores]).overExamples, overExamples);
  // One that is independent of it does: as many examples more.
  const half = [0, 0, 1, 1], other = [0, 1, 0, 1];
  assertEquals(estimate([half, other]).overExamples, wilsonInterval(0.5, 8));
});

Deno.test("estimate() of scores that are all right or all wrong has a width", () => {
  for (const score of [0, 1]) {
    const { interval, overSeeds } = estimate(
      Array.from({ length: 3 }, () => Array.from({ length: 20 }, () => score)),
    );
    assertEquals(overSeeds, { low: score, high: score });
    assertNear(interval!.high - interval!.low, 0.1611, 5e-5);
  }
});

Deno.test("estimate() adds the squares of what seeds and examples may change, and stays within 0 and 1", () => {
  // Grades, so that Student's t is taken for both: means of seeds 0.6 and 0.4, of examples 0.4, 0.4, 0.7.
  const found = estimate([[0.5, 0.5, 0.8], [0.3, 0.3, 0.6]]);
  assertNear(found.mean, 0.5, 1e-12);
  assertEquals([found.seeds, found.examples, found.sources], [2, 3, ["seeds", "examples"]]);
  const bySeeds = 12.7062 * Math.sqrt(0.02) / Math.sqrt(2),
    byExamples = 4.3027 * Math.sqrt(0.03) / Math.sqrt(3);
  assertNear(found.overExamples!.high, 0.5 + byExamples);
  assertEquals([found.overSeeds, found.interval], [{ low: 0, high: 1 }, { low: 0, high: 1 }]);
  const narrow = estimate([[0.5, 0.5, 0.52], [0.49, 0.49, 0.51]]);
  const seeds = narrow.overSeeds!.high - narrow.mean, examples = narrow.overExamples!.high - narrow.mean;
  assertNear(narrow.interval!.high, narrow.mean + Math.hypot(seeds, examples), 1e-9);
  assert(bySeeds > 0.5, "the example would be within 0 and 1 anyway");
});

Deno.test("estimate() speaks about seeds alone where they have different examples", () => {
  const found = estimate([[1, 0, 1], [1, 1]]);
  assertEquals([found.sources, found.examples, found.overExamples], [["seeds"], 0, null]);
  assertEquals(errorSources([[1, 0, 1], [1, 1]]), null);
});

Deno.test("estimate() of one seed speaks about examples only", () => {
  const found = estimate([[1, 0, 1, 1]]);
  assertEquals(found.overSeeds, null);
  assert(found.interval !== null);
});

Deno.test("estimate() of one seed and one example gives no interval", () => {
  assertEquals(estimate([[1]]).interval, null);
});

/** Of four hundred experiments, in so many thousandths a true share of 95% is within three standard errors. */
const REPEATS = 400, SLACK = 0.033;

Deno.test("estimate() holds the true score as often as it says, with one seed, with two that differ much, with five", () => {
  const random = createRandom(21);
  for (
    const [seeds, deviation, ability] of [[1, 0, 0.6], [2, 0.08, 0.5], [2, 0.01, 0.6], [
      5,
      0.05,
      0.4,
    ]] as const
  ) {
    let held = 0;
    for (let i = 0; i < REPEATS; i++) {
      const own = random.fork(`${seeds} ${deviation} ${i}`);
      const scores = drawRight(own, seeds, own.fork("hard").uniform(60, 0, 1), { ability, deviation });
      const { low, high } = estimate(scores).interval!;
      if (low <= ability && ability <= high) held++;
    }
    assert(held / REPEATS > 0.95 - SLACK, `${seeds} seeds, ${deviation}: ${held} of ${REPEATS}`);
    // One source alone is not on the wide side.
    if (seeds === 1) assert(held / REPEATS < 0.95 + SLACK, `${held} of ${REPEATS}`);
  }
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
