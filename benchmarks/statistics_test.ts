import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import {
  bootstrapInterval,
  compare,
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
