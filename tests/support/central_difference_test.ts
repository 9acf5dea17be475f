import { assertEquals, assertThrows } from "@std/assert";
import { assertClose } from "./assert_close.ts";
import { centralDifference } from "./central_difference.ts";

/** sum of sin(x_i) y_i^3, with gradients cos(x) y^3 and 3 sin(x) y^2. */
function wave([x, y]: readonly Float64Array[]): number {
  return x!.reduce((total, value, i) => total + Math.sin(value) * y![i]! ** 3, 0);
}

const x = Float64Array.of(0.3, -1.2, 2.5), y = Float64Array.of(1.5, -0.7, 0.2);

Deno.test("centralDifference() agrees with analytic gradients, one input at a time", () => {
  assertClose(centralDifference(wave, [x, y], 0), x.map((v, i) => Math.cos(v) * y[i]! ** 3), {
    relative: 1e-9,
  });
  assertClose(centralDifference(wave, [x, y], 1), x.map((v, i) => 3 * Math.sin(v) * y[i]! ** 2), {
    relative: 1e-9,
  });
});

Deno.test("centralDifference() is exact to rounding for a quadratic, whatever the step", () => {
  const square = ([v]: readonly Float64Array[]) => v!.reduce((total, value) => total + value ** 2, 0);
  assertClose(centralDifference(square, [x], 0, 0.5), x.map((v) => 2 * v), { relative: 1e-14 });
});

Deno.test("centralDifference() leaves its inputs alone and refuses an input that is not there", () => {
  const before = x.slice();
  centralDifference(wave, [x, y], 0);
  assertEquals(x, before);
  assertThrows(() => centralDifference(wave, [x, y], 2), RangeError, "there are 2");
});
