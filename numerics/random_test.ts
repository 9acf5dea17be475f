import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "./random.ts";

const mean = (values: ArrayLike<number>) =>
  Array.prototype.reduce.call(values, (sum, v) => sum + v, 0) as number / values.length;

/** Correlation of two rows of numbers: about 1 / sqrt(n) where they are independent. */
function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const mx = mean(x), my = mean(y);
  let xy = 0, xx = 0, yy = 0;
  for (let i = 0; i < x.length; i++) {
    const dx = x[i]! - mx, dy = y[i]! - my;
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xy / Math.sqrt(xx * yy);
}

Deno.test("createRandom() gives the same numbers for ever: results recorded with them stay comparable", () => {
  const random = createRandom(1), words = 2 ** 32;
  assertEquals(random.integers(4, words), Uint32Array.of(1554907154, 2131992760, 231859621, 142530926));
  assertEquals(
    random.uniform(3, -1, 1),
    Float32Array.of(-0.27593994140625, -0.007213592529296875, -0.8920320272445679),
  );
  assertEquals(
    random.normal(3, 1),
    Float32Array.of(-1.4251360893249512, 2.3638882637023926, -1.1997666358947754),
  );
  assertEquals(random.permutation(7), Uint32Array.of(4, 2, 6, 0, 1, 3, 5));
  assertEquals(random.fork("a").integers(2, words), Uint32Array.of(2857897633, 956120298));
  assertEquals(random.fork("a").fork("b").integers(2, 100), Uint32Array.of(57, 58));
  assertEquals(createRandom(0).integers(2, words), Uint32Array.of(1417686075, 52136565));
  assertEquals(createRandom(2 ** 32 - 1).integers(2, words), Uint32Array.of(2591896849, 2777334190));
});

Deno.test("createRandom() has no position: equal calls agree, and fewer numbers are the first of more", () => {
  const random = createRandom(5);
  const many = random.normal(101, 2);
  random.uniform(7, 0, 1);
  assertEquals(random.normal(101, 2), many);
  assertEquals(random.normal(100, 2), many.slice(0, 100));
  assertEquals(random.integers(3, 9), random.integers(50, 9).slice(0, 3));
  assertEquals(random.fork("x").uniform(3, 0, 1), random.fork("x").uniform(3, 0, 1));
  assertEquals([random.normal(0, 1).length, random.permutation(0).length, random.permutation(1)[0]], [
    0,
    0,
    0,
  ]);
});

Deno.test("uniform() fills its range evenly", () => {
  const count = 100_000, values = createRandom(3).uniform(count, -2, 6);
  assert(values.every((value) => value >= -2 && value < 6));
  const bins = new Array<number>(64).fill(0);
  for (const value of values) bins[Math.floor((value + 2) * 8)]!++;
  const expected = count / bins.length;
  const chiSquare = bins.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
  // 63 degrees of freedom: mean 63, deviation 11; fixed numbers, so the bound is no chance.
  assert(chiSquare > 30 && chiSquare < 100, `chi-square ${chiSquare}`);
  assert(Math.abs(correlation(values.subarray(1), values.subarray(0, -1))) < 0.01);
});

Deno.test("normal() has the moments and tails of a normal distribution, and scales with its deviation", () => {
  const count = 100_000, values = createRandom(4).normal(count, 1);
  const moment = (power: number) => mean(Float64Array.from(values, (value) => value ** power));
  // Standard errors at 1e5 numbers: 0.003, 0.0045, 0.012, 0.03; bounds at about four of them.
  for (const [power, wanted, error] of [[1, 0, 0.013], [2, 1, 0.018], [3, 0, 0.05], [4, 3, 0.13]] as const) {
    assert(Math.abs(moment(power) - wanted) < error, `moment ${power}: ${moment(power)}`);
  }
  const beyond = values.filter((value) => Math.abs(value) > 3).length / count;
  assert(beyond > 0.0022 && beyond < 0.0032, `${beyond} beyond three deviations, 0.0027 are expected`);
  assert(values.every(Number.isFinite));
  assertEquals(createRandom(4).normal(9, 0.5), values.slice(0, 9).map((value) => value / 2));
  assert(
    Math.abs(correlation(values.filter((_, i) => i % 2 === 0), values.filter((_, i) => i % 2 === 1))) < 0.02,
  );
});

Deno.test("integers() stay below their limit and hit every number alike", () => {
  for (const limit of [1, 2, 7, 10]) {
    const seen = new Array<number>(limit).fill(0);
    for (const value of createRandom(limit).integers(20_000, limit)) seen[value]!++;
    assertEquals(seen.length, limit);
    // Deviation sqrt(20,000 p (1 - p)) is at most 71.
    for (const count of seen) assert(Math.abs(count - 20_000 / limit) < 300, `${limit}: ${seen}`);
  }
});

Deno.test("permutation() holds every number once and prefers no order", () => {
  for (const count of [2, 3, 64, 1009]) {
    const order = createRandom(count).permutation(count);
    assertEquals(order.toSorted(), Uint32Array.from({ length: count }, (_, i) => i));
  }
  const orders = new Map<string, number>(), random = createRandom(6);
  for (let i = 0; i < 24_000; i++) {
    const order = random.fork(`${i}`).permutation(4).join();
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  assertEquals(orders.size, 24);
  // 1,000 of each with a deviation of 31.
  for (const [order, count] of orders) assert(Math.abs(count - 1000) < 150, `${order}: ${count}`);
});

Deno.test("fork() gives independent numbers for every label and seed", () => {
  const random = createRandom(8), count = 20_000;
  const streams = [
    random,
    random.fork("a"),
    random.fork("b"),
    random.fork("a").fork("b"),
    random.fork("b").fork("a"),
    random.fork("ab"),
    random.fork(""),
    createRandom(9),
  ].map((source) => source.normal(count, 1));
  for (const [i, x] of streams.entries()) {
    for (const y of streams.slice(i + 1)) {
      // Deviation 1 / sqrt(20,000) = 0.007.
      assert(Math.abs(correlation(x, y)) < 0.03, `correlation ${correlation(x, y)}`);
    }
  }
  // Neighbouring labels, as every step takes one. Keys have 32 bits, so a rare pair of labels shares its numbers.
  const keys = new Set<string>(), labels = 20_000;
  for (let step = 0; step < labels; step++) keys.add(random.fork(`step ${step}`).integers(2, 2 ** 32).join());
  assert(labels - keys.size <= 2, `${labels - keys.size} of ${labels} labels have another's numbers`);
});

Deno.test("createRandom() refuses seeds that are no 32-bit number", () => {
  for (const seed of [-1, 1.5, NaN, 2 ** 32, Infinity]) {
    assertThrows(() => createRandom(seed), RangeError, `Cannot seed random numbers with ${seed}`);
  }
});
