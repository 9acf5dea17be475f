import { assert, assertAlmostEquals, assertEquals, assertLess, assertRejects } from "@std/assert";
import { largestEigenvalue } from "./lanczos.ts";
import { createRandom } from "./random.ts";

const random = createRandom(3);

/** A reflected diagonal matrix: its eigenvalues are the given ones. */
function withEigenvalues(values: readonly number[]) {
  const axis = Float64Array.from(random.fork("axis").normal(values.length, 1));
  const square = axis.reduce((sum, value) => sum + value * value, 0);
  const reflect = (x: Float64Array) => {
    const share = 2 * x.reduce((sum, value, i) => sum + value * axis[i]!, 0) / square;
    return x.map((value, i) => value - share * axis[i]!);
  };
  return (x: Float64Array) => Promise.resolve(reflect(reflect(x).map((value, i) => value * values[i]!)));
}

Deno.test("largestEigenvalue() finds the largest, not the one of largest size, and says how near it is", async () => {
  const values = Array.from({ length: 80 }, (_, i) => i === 7 ? 5 : i === 8 ? -9 : (i - 40) / 40);
  for (const steps of [6, 12, 30]) {
    const { value, error } = await largestEigenvalue(80, withEigenvalues(values), { steps, random });
    assert(value <= 5 + 1e-12 && 5 - value <= error + 1e-12, `${steps} steps: ${value}, ${error}`);
    if (steps >= 12) assertLess(error, 0.05);
  }
  assertAlmostEquals(
    (await largestEigenvalue(80, withEigenvalues(values), { steps: 30, random })).value,
    5,
    1e-10,
  );
});

Deno.test("largestEigenvalue() ends where a space is exhausted: few eigenvalues, few rows, none but 0", async () => {
  let products = 0;
  const few = withEigenvalues(Array.from({ length: 50 }, (_, i) => i % 3));
  const { value } = await largestEigenvalue(50, (x) => (products++, few(x)), { steps: 40, random });
  assertAlmostEquals(value, 2, 1e-10);
  assertEquals(products, 3);
  assertAlmostEquals(
    (await largestEigenvalue(1, withEigenvalues([-4]), { steps: 9, random })).value,
    -4,
    1e-12,
  );
  const zero = await largestEigenvalue(5, (x) => Promise.resolve(x.map(() => 0)), { steps: 9, random });
  assertEquals(zero, { value: 0, error: 0 });
});

Deno.test("largestEigenvalue() refuses products that are not finite", async () => {
  const broken = (x: Float64Array) => Promise.resolve(x.map(() => NaN));
  await assertRejects(() => largestEigenvalue(4, broken, { steps: 3, random }), RangeError, "not finite");
});
