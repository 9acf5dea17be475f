import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { nonNegativeLeastSquares } from "./least_squares.ts";
import { createRandom } from "./random.ts";

Deno.test("nonNegativeLeastSquares() finds coefficients that explain everything, whatever their units", () => {
  const random = createRandom(1);
  const units = [1, 1e-9, 1e6];
  const rows = Array.from(
    { length: 9 },
    (_, i) => Array.from(random.fork(`row ${i}`).uniform(3, 0.1, 1), (value, j) => value * units[j]!),
  );
  const known = [2, 3e9, 5e-6];
  const found = nonNegativeLeastSquares(
    rows,
    rows.map((row) => row.reduce((s, v, j) => s + v * known[j]!, 0)),
  );
  known.forEach((value, j) => assertAlmostEquals(found[j]! / value, 1, 1e-6));
});

Deno.test("nonNegativeLeastSquares() keeps to 0 what would be negative", () => {
  // Without the bound: 3 and -1. With it, the first column alone.
  const [first, second] = nonNegativeLeastSquares([[1, 1], [1, 0], [1, 2]], [2, 3, 1]);
  assertAlmostEquals(first!, 2, 1e-12);
  assertEquals(second, 0);
  assertEquals(nonNegativeLeastSquares([[1], [1]], [-1, -2]), [0]);
});

Deno.test("nonNegativeLeastSquares() does without columns of zeros and columns that repeat others", () => {
  const found = nonNegativeLeastSquares([[1, 0, 2], [2, 0, 4], [3, 0, 6]], [2, 4, 6]);
  assertEquals(found[1], 0);
  assertAlmostEquals(found[0]! + 2 * found[2]!, 2, 1e-9);
});

Deno.test("nonNegativeLeastSquares() leaves no single coefficient to better", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 10 }),
      fc.nat(),
      (width, more, seed) => {
        const random = createRandom(seed % 2 ** 32), height = width + more;
        const rows = Array.from({ length: height }, (_, i) => [...random.fork(`row ${i}`).normal(width, 1)]);
        const targets = [...random.fork("targets").normal(height, 1)];
        const error = (x: readonly number[]) =>
          rows.reduce(
            (sum, row, i) => sum + (row.reduce((s, v, j) => s + v * x[j]!, 0) - targets[i]!) ** 2,
            0,
          );
        const found = nonNegativeLeastSquares(rows, targets);
        assert(found.every((value) => value >= 0));
        for (let j = 0; j < width; j++) {
          for (const change of [1e-4, -1e-4]) {
            const other = found.map((value, k) => k === j ? Math.max(0, value + change) : value);
            assert(error(found) <= error(other) + 1e-9);
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("nonNegativeLeastSquares() refuses rows that don't fit", () => {
  assertThrows(() => nonNegativeLeastSquares([], []), RangeError, "0 rows");
  assertThrows(() => nonNegativeLeastSquares([[1, 2], [1]], [1, 2]), RangeError, "Cannot fit");
});
