import { assertEquals, assertThrows } from "@std/assert";
import { assertClose } from "./assert_close.ts";

Deno.test("assertClose() returns the largest error as a share of the largest expected magnitude", () => {
  assertEquals(assertClose([1, -3.5, 4], [1, -3, 4], { relative: 0.2 }), 0.125);
  assertEquals(assertClose([], [], { relative: 0 }), 0);
});

Deno.test("assertClose() counts only the absolute tolerance where all expected values are zero", () => {
  assertEquals(assertClose([0, 0.25], [0, 0], { relative: 0, absolute: 0.25 }), 0.25);
  assertThrows(() => assertClose([0, 0.25], [0, 0], { relative: 1 }), Error, "0.25");
});

Deno.test("assertClose() names the first and the worst failure with both values", () => {
  const error = assertThrows(() => assertClose([1, 2.5, 9], [1, 2, 4], { relative: 0.01 }, "Weights"), Error);
  assertEquals(
    error.message,
    "Weights: Error 1.250e+0 of the largest expected magnitude 4, allowed are 0.01 relative and 0 absolute; " +
      "2 of 3 values fail; first at 1: 2.5, expected 2; worst at 2: 9, expected 4",
  );
});

Deno.test("assertClose() fails on NaN and infinity on either side", () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    assertThrows(
      () => assertClose([1, bad], [1, 1], { relative: 1e9 }),
      Error,
      `Not finite at 1: ${bad}, expected 1`,
    );
    assertThrows(() => assertClose([1, 1], [1, bad], { relative: 1e9 }), Error, "Not finite at 1");
    assertThrows(() => assertClose([bad], [bad], { relative: 1e9 }), Error, "Not finite at 0");
  }
});

Deno.test("assertClose() fails where lengths differ and where the tolerance is not a number", () => {
  assertThrows(
    () => assertClose([1], [1, 1], { relative: 1 }),
    Error,
    "Lengths differ: 1 values, 2 expected",
  );
  assertThrows(() => assertClose([1], [1], { relative: NaN }), Error);
});
