import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { studentQuantile } from "./distributions.ts";

Deno.test("studentQuantile() agrees with printed tables, whole degrees of freedom or not", () => {
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
    [0.975, Infinity, 1.96],
  ];
  for (const [probability, freedom, expected] of table) {
    assertAlmostEquals(studentQuantile(probability, freedom), expected, 1e-4);
    assertAlmostEquals(studentQuantile(1 - probability, freedom), -expected, 1e-4);
  }
  // The others are SciPy 1.17's.
  assertAlmostEquals(studentQuantile(0.975, 1.5), 6.016663104427929, 1e-7);
  assertAlmostEquals(studentQuantile(0.99, 0.7), 135.57150574187764, 1e-5);
});

Deno.test("studentQuantile() is exact far out, near the middle and with many degrees of freedom", () => {
  const near = (probability: number, freedom: number, expected: number) => {
    const found = studentQuantile(probability, freedom);
    assert(
      Math.abs(found / expected - 1) < 1e-5,
      `${probability} at ${freedom}: ${found} is not ${expected}`,
    );
  };
  // SciPy 1.17.
  near(1 - 5e-13, 1, 636563181530.0465);
  near(1e-12, 4, -1316.0727465592565);
  near(1 - 5e-13, 500, 7.319480732986336);
  near(0.50001, 3, 2.7206990467761966e-5);
  near(0.975, 1e5, 1.9599877075346095);
  near(0.975, 1e7, 1.959964221765);
  assertEquals([1, 2.5, Infinity].map((freedom) => studentQuantile(0.5, freedom)), [0, 0, 0]);
});

Deno.test("studentQuantile() refuses what has no quantile", () => {
  for (const [probability, freedom] of [[0, 3], [1, 3], [NaN, 3], [0.5, 0], [0.5, -1], [0.5, NaN]] as const) {
    assertThrows(() => studentQuantile(probability, freedom), RangeError, "Cannot find Student's quantile");
  }
});
