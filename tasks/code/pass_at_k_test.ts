import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { passAtK } from "./pass_at_k.ts";

/** The chance by counting: every choice of k of the samples, the first `passes` of which are right. */
function counted(samples: number, passes: number, k: number): number {
  let choices = 0, right = 0;
  for (let mask = 0; mask < 1 << samples; mask++) {
    const chosen = Array.from({ length: samples }, (_, i) => (mask >> i) & 1);
    if (chosen.reduce((sum, bit) => sum + bit, 0) !== k) continue;
    choices++;
    if (chosen.slice(0, passes).includes(1)) right++;
  }
  return right / choices;
}

Deno.test("passAtK() is the share of all choices of k that hold a right one", () => {
  for (let samples = 1; samples <= 8; samples++) {
    for (let passes = 0; passes <= samples; passes++) {
      for (let k = 1; k <= samples; k++) {
        assertAlmostEquals(passAtK(samples, passes, k), counted(samples, passes, k), 1e-12);
      }
    }
  }
});

Deno.test("passAtK() stays exact where the binomials overflow, and at both ends", () => {
  assertEquals(passAtK(1e6, 0, 5e5), 0);
  assertEquals(passAtK(1e6, 1e6, 1), 1);
  assertAlmostEquals(passAtK(2000, 1, 1000), 0.5, 1e-12);
  assertAlmostEquals(passAtK(200, 7, 1), 7 / 200, 1e-15);
  assertEquals(passAtK(10, 6, 5), 1);
});

Deno.test("passAtK() refuses counts that cannot be", () => {
  for (
    const [n, c, k] of [[5, 6, 1], [5, -1, 1], [5, 1, 0], [5, 1, 6], [0, 0, 1], [5, 1.5, 1], [5, 1, NaN]]
  ) {
    assertThrows(() => passAtK(n!, c!, k!), RangeError, "Cannot estimate");
  }
});
