import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { testGpu } from "../tests/support/test_gpu.ts";
import { byteLength, elementCount, rowsOf, withShape } from "./tensor.ts";

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

Deno.test("rowsOf() is a view of rows, and refuses those that lie outside or can't be bound", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("rows");
  const data = Float32Array.from({ length: 5 * 32 * 2 }, (_, i) => i);
  const x = gpu.upload(data, "f32", [5, 32, 2], "x"), rows = rowsOf(x, 3, 2);
  assertStrictEquals(rows.buffer, x.buffer);
  assertEquals(rows.shape, [2, 32, 2]);
  assertEquals(await gpu.download(rows), data.slice(3 * 64));
  for (const [first, count] of [[4, 2], [-1, 1], [0, 0]] as const) {
    assertThrows(
      () => rowsOf(x, first, count),
      RangeError,
      `Cannot take ${count} rows from ${first} on of "x"`,
    );
  }
  const narrow = gpu.empty([5, 3], "narrow");
  assertThrows(() => rowsOf(narrow, 1, 1), RangeError, "do not begin at a multiple of 256 bytes");
});
