import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { testGpu } from "../tests/support/test_gpu.ts";
import { byteLength, elementCount, withShape } from "./tensor.ts";

Deno.test("withShape() keeps the elements where they are and refuses another count by name", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("shape");
  const x = gpu.empty([2, 3, 5], "x");
  const y = withShape(x, [6, 5]);
  assertStrictEquals(y.buffer, x.buffer);
  assertEquals([y.shape, elementCount(y.shape), byteLength(y)], [[6, 5], 30, 120]);
  assertThrows(() => withShape(x, [7, 4]), RangeError, 'Cannot reshape "x" [2,3,5] to [7,4]');
  assertEquals(elementCount([]), 1);
});
