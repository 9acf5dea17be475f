import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { singleQueryAttention } from "./single_query.ts";

Deno.test("singleQueryAttention() agrees with float64 for any sizes, and never reads what does not take part", async () => {
  const gpu = await testGpu();
  for (
    const { texts, keys, rows = keys, heads = 1, keyValueHeads = heads, size, biased = false, softCap } of [
      { texts: 1, keys: 1, size: 1 },
      { texts: 3, keys: 7, rows: 10, heads: 6, keyValueHeads: 2, size: 3, biased: true },
      { texts: 2, keys: 300, heads: 4, keyValueHeads: 1, size: 8 },
      { texts: 5, keys: 24, rows: 40, heads: 2, size: 20, biased: true },
      { texts: 2, keys: 5, heads: 3, size: 33, biased: true },
      { texts: 2, keys: 9, heads: 2, size: 4, biased: true, softCap: 0.8 },
      { texts: 2, keys: 9, heads: 2, size: 3, softCap: 0.5 },
    ]
  ) {
    using _ = gpu.scope("single queries");
    const random = createRandom(keys * size),
      scale = size ** -0.5,
      label = `${texts} x ${keys} keys of ${size}`;
    const q = randomMatrix(texts, heads * size, random.fork("q"), 1.5);
    const [k, v] = ["k", "v"].map((name) =>
      randomMatrix(texts * keys, keyValueHeads * size, random.fork(name), 1.5)
    ) as [typeof q, typeof q];
    const mask = random.fork("mask").integers(texts * keys, 3);
    // Nothing of the last text takes part, where there are several.
    if (texts > 1) mask.fill(0, (texts - 1) * keys);
    const bias = randomMatrix(heads, keys, random.fork("bias"));
    const wanted = reference.attention(q, k, v, {
      ...{ batch: texts, length: 1, keys, heads, keyValueHeads, headSize: size, causal: false, scale, mask },
      ...(biased ? { bias } : {}),
      ...(softCap ? { softCap } : {}),
    });
    const width = keyValueHeads * size, all = new Uint32Array(texts * rows);
    /** Keys or values with NaN in all that takes no part. */
    const kept = (x: typeof q) => {
      const data = new Float32Array(texts * rows * width).fill(NaN);
      for (let i = 0; i < texts * keys; i++) {
        const to = Math.floor(i / keys) * rows + i % keys;
        all[to] = mask[i]!;
        if (mask[i] !== 0) data.set(x.data.subarray(i * width, (i + 1) * width), to * width);
      }
      return gpu.upload(data, "f32", [texts * rows, width], "kept");
    };
    // What lies behind the keys that count is open to the mask.
    for (let text = 0; text < texts; text++) all.fill(1, text * rows + keys, (text + 1) * rows);
    const out = singleQueryAttention(gpu, upload(gpu, q, "q"), kept(k), kept(v), {
      ...{ keys, heads, keyValueHeads, size, scale, mask: gpu.upload(all, "u32", [texts, rows], "mask") },
      ...(biased ? { bias: upload(gpu, bias, "bias", [heads, 1, keys]) } : {}),
      ...(softCap ? { softCap } : {}),
    });
    assertEquals(out.shape, [texts, heads * size]);
    assertClose(await gpu.download(out), wanted.data, { relative: 1e-5, absolute: 1e-6 }, label);
  }
});

Deno.test("singleQueryAttention() is not finite where what it sees is not, and exact for huge scores", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("single queries");
  const mask = gpu.upload(new Uint32Array(4).fill(1), "u32", [1, 4], "mask");
  const sizes = { keys: 4, heads: 1, keyValueHeads: 1, size: 1, scale: 1, mask };
  const look = async (k: readonly number[], v: readonly number[]) => {
    const on = (values: readonly number[]) =>
      gpu.upload(Float32Array.from(values), "f32", [values.length, 1], "x");
    return (await gpu.download(singleQueryAttention(gpu, on([1]), on(k), on(v), sizes)))[0]!;
  };
  for (const bad of [NaN, Infinity]) {
    for (let at = 0; at < 4; at++) {
      const spoilt = [1, 2, 3, 4].map((x, i) => i === at ? bad : x);
      assert(!Number.isFinite(await look(spoilt, [1, 2, 3, 4])), `key ${at} is ${bad}`);
      assert(!Number.isFinite(await look([1, 2, 3, 4], spoilt)), `value ${at} is ${bad}`);
    }
  }
  assert(
    !Number.isFinite(await look(new Array<number>(4).fill(-Infinity), [1, 2, 3, 4])),
    "no score is finite",
  );
  assertEquals(await look([-1e30, 5e30, -2e30, 0], [1, 2, 3, 4]), 2);
  assertEquals(await look([-1e30, -1e30, -2e30, -3e30], [1, 2, 3, 4]), 1.5);
});

Deno.test("singleQueryAttention() refuses tensors that do not fit its sizes", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("single queries");
  const mask = gpu.zeros([2, 5], "mask", "u32"), q = gpu.zeros([2, 8], "q"), k = gpu.zeros([10, 4], "k");
  const sizes = { keys: 5, heads: 2, keyValueHeads: 1, size: 4, scale: 1, mask };
  singleQueryAttention(gpu, q, k, k, sizes);
  for (
    const changes of [
      { keys: 6 },
      { keys: 0 },
      { heads: 3 },
      { size: 8 },
      { keyValueHeads: 2 },
      { bias: gpu.zeros([2, 4], "bias") },
      { mask: gpu.zeros([2, 4], "mask", "u32") },
    ]
  ) {
    assertThrows(
      () => singleQueryAttention(gpu, q, k, k, { ...sizes, ...changes }),
      RangeError,
      'Cannot look from "q" [2,8] at ',
    );
  }
});
