import { assertEquals, assertLess } from "@std/assert";
import { DYNAMIC_VALUES, fromNf4, NF4_BLOCK, NF4_OUTER_BLOCK, NF4_VALUES, nf4Layout, toNf4 } from "./nf4.ts";
import { normalProbability } from "./distributions.ts";
import { createRandom } from "./random.ts";

/** By halving, which the sixteen values are few enough for. */
function normalQuantile(probability: number): number {
  let low = 0, high = 4;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalProbability(middle) < probability) low = middle;
    else high = middle;
  }
  return low;
}

Deno.test("NF4_VALUES are the quantiles that QLoRA's appendix E defines", () => {
  // The mean of the quantiles beside 0 and 1 of sixteen: bitsandbytes' offset.
  const offset = (1 - 1 / 32 + 1 - 1 / 30) / 2;
  const half = (count: number) =>
    Array.from({ length: count }, (_, i) => normalQuantile(offset + (0.5 - offset) * i / count));
  const [lower, upper] = [half(7), half(8)], most = upper[0]!;
  const wanted = [...lower.map((value) => -value / most), 0, ...upper.map((value) => value / most).reverse()];
  wanted.forEach((value, i) => assertLess(Math.abs(NF4_VALUES[i]! - value), 1e-6, `value ${i}`));
});

Deno.test("DYNAMIC_VALUES are bitsandbytes' bit by bit", async () => {
  // Of create_dynamic_map() as PyTorch 2.6 forms it, 256 32-bit floats in ascending order.
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", DYNAMIC_VALUES.slice()));
  assertEquals(hash.toHex(), "e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c");
  assertEquals([DYNAMIC_VALUES.length, DYNAMIC_VALUES[0], DYNAMIC_VALUES[127], DYNAMIC_VALUES[255]], [
    256,
    -0.992968738079071,
    0,
    1,
  ]);
});

/** What QLoRA keeps of numbers, found by trying every code. */
function kept(data: Float32Array): { readonly values: number[]; readonly bounds: number[] } {
  const nearest = (values: Float32Array, x: number) =>
    values.reduce((best, value) => Math.abs(value - x) < Math.abs(best - x) ? value : best);
  const blocks = Array.from(
    { length: Math.ceil(data.length / NF4_BLOCK) },
    (_, i) => data.subarray(i * NF4_BLOCK, (i + 1) * NF4_BLOCK),
  );
  const sizes = blocks.map((block) => Math.max(...block.map(Math.abs)));
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  const apart = sizes.map((size) => size - mean);
  const found = apart.map((size, i) => {
    const first = i - i % NF4_OUTER_BLOCK;
    const factor = Math.max(...apart.slice(first, first + NF4_OUTER_BLOCK).map(Math.abs));
    return (factor > 0 ? nearest(DYNAMIC_VALUES, size / factor) * factor : 0) + mean;
  });
  return {
    values: blocks.flatMap((block, i) =>
      Array.from(block, (value) => sizes[i]! > 0 ? nearest(NF4_VALUES, value / sizes[i]!) * found[i]! : 0)
    ),
    bounds: blocks.flatMap((block, i) => Array.from(block, () => sizes[i]!)),
  };
}

Deno.test("toNf4() keeps what trying every code finds, of any count", () => {
  for (const count of [1, 2, 7, 63, 64, 65, 1000, NF4_BLOCK * NF4_OUTER_BLOCK + 130]) {
    const random = createRandom(count);
    const data = Float32Array.from(random.normal(count, 0.02)).map((value, i) => value * (1 + i % 5));
    const words = toNf4(data), found = fromNf4(words, count), { values, bounds } = kept(data);
    assertEquals(words.length, nf4Layout(count).words);
    // Where a number lies in the middle between two codes, rounding decides: then both are as near.
    const apart = values.filter((value, i) => Math.abs(value - found[i]!) > 1e-6 * bounds[i]!).length;
    assertLess(apart, 1 + count / 10_000);
  }
});

Deno.test("toNf4() takes zeros and blocks of them, and numbers too small for an inverse", () => {
  assertEquals([...fromNf4(toNf4(new Float32Array(130)), 130)], Array(130).fill(0));
  const mixed = Float32Array.from({ length: 192 }, (_, i) => i < 64 ? 0 : i % 2 ? 1 : -1);
  const found = fromNf4(toNf4(mixed), 192);
  assertEquals([...found.subarray(0, 64)], Array(64).fill(0));
  found.subarray(64).forEach((value, i) => assertLess(Math.abs(value - mixed[64 + i]!), 0.02));
  assertEquals(fromNf4(toNf4(Float32Array.of(1e-45, 1e-40)), 2).every(Number.isFinite), true);
});

Deno.test("NF4 with double quantization takes 4.127 bits a number of a large matrix", () => {
  const bits = 32 * nf4Layout(4096 * 4096).words / 4096 ** 2;
  assertLess(Math.abs(bits - (4 + 8 / 64 + 32 / 64 / 256)), 1e-3);
});
