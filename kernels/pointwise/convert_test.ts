import { assertEquals, assertThrows } from "@std/assert";
import { fromInt8, toInt8 } from "../../numerics/int8.ts";
import { fromNf4, toNf4 } from "../../numerics/nf4.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { toFloat, toHalf } from "./convert.ts";

/** Numbers at which rounding to 16 bits is easy to get wrong, of both signs. */
function hardNumbers(): Float32Array<ArrayBuffer> {
  const some = [0, 1, 1 / 3, 65504, 65519.996, 65520, 1e30, Infinity, 1e-30];
  // Halfway between two halves, and just beside it: even below, even above, subnormal, and at the border to normal.
  for (
    const middle of [
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      2 ** -25,
      3 * 2 ** -25,
      5.5 * 2 ** -24,
      2 ** -14 - 2 ** -25,
    ]
  ) {
    some.push(middle, middle * (1 + 2 ** -22), middle * (1 - 2 ** -22));
  }
  const spread = createRandom(5).normal(2001, 1).map((value, i) => value * 2 ** (i % 44 - 28));
  return Float32Array.from([...some, ...some.map((value) => -value), ...spread]);
}

Deno.test("toHalf() rounds to the nearest half, ties to even, as Float16Array does", async () => {
  const gpu = await testGpu();
  const values = hardNumbers();
  for (const count of [1, 2, 3, 4, 5, 255, 257, values.length]) {
    using _ = gpu.scope("halves");
    const x = gpu.upload(values.slice(0, count), "f32", [count], "x");
    const found = await gpu.download(toHalf(gpu, x));
    assertEquals(
      new Uint16Array(found.buffer, 0, count),
      new Uint16Array(Float16Array.from(values.slice(0, count)).buffer),
    );
  }
  using _ = gpu.scope("halves");
  const [nan] = await gpu.download(toHalf(gpu, gpu.upload(Float32Array.of(NaN), "f32", [1], "nan")));
  assertEquals(nan, NaN);
});

Deno.test("toFloat() gives what halves stand for, and leaves what lies behind the last alone", async () => {
  const gpu = await testGpu();
  const halves = Float16Array.from(hardNumbers());
  for (const count of [1, 2, 3, 4, 5, 255, 257, halves.length]) {
    using _ = gpu.scope("floats");
    const x = gpu.upload(halves.slice(0, count), "f16", [count], "x");
    assertEquals(await gpu.download(toFloat(gpu, x)), Float32Array.from(halves.slice(0, count)));
    const around = gpu.upload(new Float32Array(count + 8).fill(7), "f32", [count + 8], "around");
    toFloat(gpu, x, { ...around, shape: [count] });
    const found = await gpu.download(around);
    assertEquals(found, Float32Array.from([...halves.slice(0, count), ...Array(8).fill(7)]));
  }
  using _ = gpu.scope("floats");
  assertThrows(
    () => toFloat(gpu, gpu.zeros([2], "x", "f16"), gpu.zeros([3], "y")),
    RangeError,
    'Cannot convert "x" [2] into "y" [3]',
  );
});

Deno.test("toFloat() gives back every half after toHalf()", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("all halves");
  const all = new Float16Array(Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).buffer);
  const x = gpu.upload(all, "f16", [2 ** 16], "all");
  assertEquals(await gpu.download(toHalf(gpu, toFloat(gpu, x))), all);
});

Deno.test("toFloat() gives what quantized numbers stand for, and leaves what lies behind the last alone", async () => {
  const gpu = await testGpu();
  const values = Float32Array.from(createRandom(6).normal(64 * 256 + 70, 1));
  for (const [type, keep, read] of [["int8", toInt8, fromInt8], ["nf4", toNf4, fromNf4]] as const) {
    for (const count of [1, 2, 3, 5, 63, 64, 65, 257, values.length]) {
      using _ = gpu.scope("floats");
      const words = keep(values.slice(0, count)), x = gpu.upload(words, type, [count], "x");
      const around = gpu.upload(new Float32Array(count + 8).fill(7), "f32", [count + 8], "around");
      toFloat(gpu, x, { ...around, shape: [count] });
      const found = await gpu.download(around);
      assertClose(
        found.subarray(0, count),
        read(words, count),
        { relative: 2 ** -22, absolute: 1e-7 },
        `${type} ${count}`,
      );
      assertEquals(found.subarray(count), new Float32Array(8).fill(7));
    }
  }
});
