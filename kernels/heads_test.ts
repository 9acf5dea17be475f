import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/assert_close.ts";
import { add, type Matrix, randomMatrix, zeros } from "../tests/reference/matrix.ts";
import { rotary } from "../tests/reference/network.ts";
import { testGpu } from "../tests/test_gpu.ts";
import { stretchOf, upload, uploadAngles } from "../tests/upload.ts";
import { type HeadSizes, mergeHeads, splitHeads } from "./heads.ts";

/** Batch, length, heads and size; sizes that are no multiple of the four elements a lane takes, and an odd half. */
const SHAPES = [[1, 1, 1, 1], [2, 3, 5, 7], [1, 5, 2, 6], [3, 7, 2, 8], [2, 67, 3, 10], [1, 2, 1, 2], [
  5,
  13,
  4,
  64,
]] as const;

/** [batch · length, heads · size] to [batch · heads · length, size]. */
function byHeads(x: Matrix, length: number, heads: number): Matrix {
  const size = x.columns / heads, out = zeros(x.rows * heads, size);
  for (let row = 0; row < x.rows; row++) {
    const sequence = Math.floor(row / length), position = row % length;
    for (let head = 0; head < heads; head++) {
      const from = row * x.columns + head * size, to = ((sequence * heads + head) * length + position) * size;
      out.data.set(x.data.subarray(from, from + size), to);
    }
  }
  return out;
}

Deno.test("splitHeads() and mergeHeads() move every element and are each other's inverse", async () => {
  const gpu = await testGpu();
  for (const [batch, length, heads, size] of SHAPES) {
    using _ = gpu.scope("heads");
    const m = randomMatrix(batch * length, heads * size, createRandom(size)), x = upload(gpu, m, "x");
    const split = splitHeads(gpu, x, { length, heads, size }),
      merged = mergeHeads(gpu, split, { length, heads, size });
    assertEquals([split.shape, merged.shape], [[batch * heads, length, size], [
      batch * length,
      heads * size,
    ]]);
    const [out, back] = await gpu.downloadAll([split, merged]);
    assertEquals(out, Float32Array.from(byHeads(m, length, heads).data));
    assertEquals(back, Float32Array.from(m.data));
  }
});

Deno.test("splitHeads() turns heads by their positions as the float64 rotary embedding does", async () => {
  const gpu = await testGpu();
  for (const [batch, length, heads, size] of SHAPES.filter(([, , , size]) => size % 2 === 0)) {
    using _ = gpu.scope("heads");
    const m = randomMatrix(batch * length, heads * size, createRandom(size)), x = upload(gpu, m, "x");
    // Angles for more positions than are used.
    const angles = uploadAngles(gpu, length + 3, size, 100);
    const sizes: HeadSizes = { length, heads, size, angles };
    const turned = splitHeads(gpu, x, sizes);
    const options = { batch, length, heads, headSize: size, theta: 100 };
    // Angles are rounded to f32, and each element is a sum of two products.
    const tolerance = { relative: 3e-7 };
    const wanted = byHeads(rotary(m, options), length, heads);
    assertClose(await gpu.download(turned), wanted.data, tolerance);
    assertClose(await gpu.download(mergeHeads(gpu, turned, sizes, { inverse: true })), m.data, tolerance);
    const merged = mergeHeads(gpu, splitHeads(gpu, x, { length, heads, size }), sizes);
    assertClose(await gpu.download(merged), rotary(m, options).data, tolerance);
    assertClose(
      await gpu.download(splitHeads(gpu, merged, sizes, true)),
      byHeads(m, length, heads).data,
      tolerance,
    );
  }
});

Deno.test("mergeHeads() adds to what is there", async () => {
  const gpu = await testGpu();
  for (const [batch, length, heads, size] of SHAPES.filter(([, , , size]) => size % 2 === 0)) {
    using _ = gpu.scope("heads");
    const m = randomMatrix(batch * length, heads * size, createRandom(size)),
      before = randomMatrix(m.rows, m.columns, createRandom(1));
    const angles = uploadAngles(gpu, length, size, 100);
    const split = upload(gpu, byHeads(m, length, heads), "split");
    const into = upload(gpu, before, "into");
    mergeHeads(gpu, split, { length, heads, size, angles }, { into, accumulate: true });
    const wanted = add(before, rotary(m, { batch, length, heads, headSize: size, theta: 100 }));
    assertClose(await gpu.download(into), wanted.data, { relative: 3e-7 });
  }
});

Deno.test("splitHeads() reaches every element beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many");
  // One lane an element where heads are one wide.
  const heads = 3, length = 5, batch = 279_700, count = batch * heads * length;
  const x = gpu.upload(
    Float32Array.from({ length: count }, (_, i) => i),
    "f32",
    [batch * length, heads],
    "x",
  );
  const split = splitHeads(gpu, x, { length, heads, size: 1 });
  for (const first of [0, 32_768 * 64, 65_535 * 64 - 64, count - count % 64]) {
    const stretch = await gpu.download(stretchOf(split, first, Math.min(128, count - first)));
    const wanted = stretch.map((_, i) => {
      const at = first + i, sequence = Math.floor(at / 15), head = Math.floor(at / length) % heads;
      return (sequence * length + at % length) * heads + head;
    });
    assertEquals(stretch, wanted);
  }
});

Deno.test("splitHeads() and mergeHeads() refuse sizes and angles that do not fit", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const x = gpu.empty([6, 8], "x"), angles = gpu.empty([2, 2, 2], "angles");
  const refused = 'Cannot split "x" [6,8] into';
  assertThrows(
    () => splitHeads(gpu, x, { length: 3, heads: 3, size: 4 }),
    RangeError,
    `${refused} 3 heads of 4`,
  );
  assertThrows(
    () => mergeHeads(gpu, x, { length: 5, heads: 2, size: 4 }),
    RangeError,
    `${refused} 2 heads of 4`,
  );
  const turns = "Cannot turn heads of";
  assertThrows(
    () => splitHeads(gpu, x, { length: 3, heads: 2, size: 4, angles }),
    RangeError,
    `${turns} 4 over 3 positions`,
  );
  assertThrows(
    () => splitHeads(gpu, x, { length: 2, heads: 4, size: 2, angles }),
    RangeError,
    `${turns} 2 over 2 positions`,
  );
  const odd = gpu.empty([2, 3], "odd");
  assertThrows(
    () => splitHeads(gpu, gpu.empty([2, 3], "y"), { length: 2, heads: 1, size: 3, angles: odd }),
    RangeError,
    `${turns} 3`,
  );
});
