import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { add, type Matrix, randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload, uploadAngles } from "../../tests/support/upload.ts";
import { attention, attentionBackward, type AttentionSizes } from "./attention.ts";

const THETA = 50;

interface Case {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads?: number;
  readonly keyValueHeads?: number;
  readonly size: number;
  readonly causal?: boolean;
  readonly window?: number;
  readonly softCap?: number;
  readonly rotary?: boolean;
  readonly masked?: boolean;
  readonly biased?: boolean;
}

/** Sizes that are 1, odd, no multiple of 4 or 8; lengths beside tiles and over several; all options, alone and together. */
const CASES: readonly Case[] = [
  { batch: 1, queries: 1, keys: 1, size: 1 },
  { batch: 2, queries: 3, keys: 3, heads: 2, size: 3, causal: true },
  { batch: 1, queries: 65, keys: 65, heads: 2, size: 7, causal: true },
  { batch: 3, queries: 5, keys: 130, heads: 4, keyValueHeads: 2, size: 8, causal: true, rotary: true },
  { batch: 2, queries: 130, keys: 130, heads: 3, keyValueHeads: 1, size: 6, causal: true, rotary: true },
  { batch: 2, queries: 130, keys: 7, size: 4, causal: true, masked: true, biased: true },
  { batch: 2, queries: 1, keys: 300, heads: 2, size: 4, masked: true },
  {
    batch: 2,
    queries: 70,
    keys: 300,
    heads: 4,
    keyValueHeads: 2,
    size: 2,
    causal: true,
    rotary: true,
    masked: true,
  },
  { batch: 3, queries: 17, keys: 17, heads: 2, size: 5, biased: true },
  { batch: 2, queries: 67, keys: 71, heads: 2, size: 8, rotary: true, masked: true, biased: true },
  {
    ...{ batch: 2, queries: 66, keys: 129, heads: 4, keyValueHeads: 2, size: 10 },
    ...{ causal: true, rotary: true, masked: true, biased: true },
  },
  { batch: 1, queries: 9, keys: 33, size: 64, causal: true, rotary: true },
  { batch: 1, queries: 8, keys: 20, size: 33, masked: true },
  { batch: 2, queries: 5, keys: 5, heads: 2, size: 3, causal: true, window: 1 },
  {
    ...{ batch: 2, queries: 130, keys: 130, heads: 4, keyValueHeads: 2, size: 4 },
    ...{ causal: true, window: 7, softCap: 1.5 },
  },
  {
    ...{ batch: 2, queries: 67, keys: 129, heads: 2, size: 6, window: 30, softCap: 0.7 },
    ...{ causal: true, rotary: true, masked: true, biased: true },
  },
];

interface Prepared {
  readonly label: string;
  readonly sizes: AttentionSizes;
  readonly tensors: readonly [q: Tensor, k: Tensor, v: Tensor];
  readonly gradient: Tensor;
  /** In float64: the output, then the gradients of q, k, v and the bias. */
  readonly wanted: readonly [out: Matrix, q: Matrix, k: Matrix, v: Matrix, bias: Matrix];
}

function prepare(gpu: Gpu, how: Case): Prepared {
  const { batch, queries, keys, heads = 1, keyValueHeads = heads, size, causal = false } = how;
  const { window, softCap } = how;
  const random = createRandom(keys * size), scale = 1 / Math.sqrt(size);
  const matrices = [[queries, heads], [keys, keyValueHeads], [keys, keyValueHeads], [queries, heads]].map(
    ([rows, count], i) => randomMatrix(batch * rows!, count! * size, random.fork(`${i}`), 1.5),
  ) as [Matrix, Matrix, Matrix, Matrix];
  const [q, k, v, gradient] = matrices;
  const mask = random.fork("mask").integers(batch * keys, 3);
  // Nothing of the last batch takes part.
  if (batch > 1) mask.fill(0, (batch - 1) * keys);
  const bias = randomMatrix(heads * queries, keys, random.fork("bias"));
  const ofQueries = { batch, length: queries, heads, headSize: size, theta: THETA, first: keys - queries };
  const ofKeys = { batch, length: keys, heads: keyValueHeads, headSize: size, theta: THETA };
  const turn = (x: Matrix, options: reference.RotaryOptions) => how.rotary ? reference.rotary(x, options) : x;
  const back = (x: Matrix, options: reference.RotaryOptions) => turn(x, { ...options, inverse: true });
  const options = {
    ...{ batch, length: queries, keys, heads, keyValueHeads, headSize: size, causal, scale },
    ...(window ? { window } : {}),
    ...(softCap ? { softCap } : {}),
    ...(how.masked ? { mask } : {}),
    ...(how.biased ? { bias } : {}),
  };
  const turned = [turn(q, ofQueries), turn(k, ofKeys), v] as const;
  const found = reference.attentionGradients(...turned, gradient, options);
  return {
    label: JSON.stringify(how),
    sizes: {
      ...{ queries, keys, heads, keyValueHeads, size, causal, scale },
      ...(window ? { window } : {}),
      ...(softCap ? { softCap } : {}),
      // Angles for more positions than there are.
      ...(how.rotary ? { angles: uploadAngles(gpu, keys + 3, size, THETA) } : {}),
      ...(how.masked ? { mask: gpu.upload(mask, "u32", [batch, keys], "mask") } : {}),
      ...(how.biased ? { bias: upload(gpu, bias, "bias", [heads, queries, keys]) } : {}),
    },
    tensors: [upload(gpu, q, "q"), upload(gpu, k, "k"), upload(gpu, v, "v")],
    gradient: upload(gpu, gradient, "gradient"),
    wanted: [
      reference.attention(...turned, options),
      back(found.q, ofQueries),
      back(found.k, ofKeys),
      found.v,
      found.bias,
    ],
  };
}

/** Output and gradients of q, k, v and the bias, where there is one. */
function runAll(gpu: Gpu, { sizes, tensors, gradient }: Prepared): Tensor[] {
  const result = attention(gpu, ...tensors, sizes);
  const fresh = (like: Tensor) => ({ into: gpu.empty(like.shape, `d ${like.label}`), accumulate: false });
  const [q, k, v] = tensors.map(fresh), bias = sizes.bias ? fresh(sizes.bias) : null;
  attentionBackward(gpu, ...tensors, result, gradient, sizes, { q: q!, k: k!, v: v!, bias });
  return [result.out, q!.into, k!.into, v!.into, ...(bias ? [bias.into] : [])];
}

Deno.test("attention() and its gradients agree with float64 for any sizes, lengths and options", async () => {
  const gpu = await testGpu();
  for (const how of CASES) {
    using _ = gpu.scope("attention");
    const prepared = prepare(gpu, how);
    const found = await gpu.downloadAll(runAll(gpu, prepared));
    // Scores up to some tens, whose powers err by as many roundings; sums over 300 keys.
    ["out", "d q", "d k", "d v", "d bias"].slice(0, found.length).forEach((name, i) =>
      assertClose(
        found[i]!,
        prepared.wanted[i]!.data,
        { relative: 1e-5, absolute: 1e-6 },
        `${name} of ${prepared.label}`,
      )
    );
  }
});

Deno.test("attentionBackward() adds to what its targets hold, and gives equal bits for equal calls", async () => {
  const gpu = await testGpu();
  for (const how of [CASES[4]!, CASES[9]!]) {
    using _ = gpu.scope("attention");
    const prepared = prepare(gpu, how), { sizes, tensors, gradient, wanted } = prepared;
    const once = await gpu.downloadAll(runAll(gpu, prepared));
    const twice = await gpu.downloadAll(runAll(gpu, prepared));
    assertEquals(
      once.map((data) => new Uint32Array(data.buffer)),
      twice.map((x) => new Uint32Array(x.buffer)),
    );

    const before = wanted.slice(1).map((m, i) => randomMatrix(m.rows, m.columns, createRandom(i)));
    const targets = [...tensors, ...(sizes.bias ? [sizes.bias] : [])].map((like, i) => ({
      into: upload(gpu, before[i]!, "into", like.shape),
      accumulate: true,
    }));
    const result = attention(gpu, ...tensors, sizes);
    // Each in a call of its own, so that one does not need another.
    const none = { q: null, k: null, v: null, bias: null };
    (["q", "k", "v", "bias"] as const).slice(0, targets.length).forEach((name, i) =>
      attentionBackward(gpu, ...tensors, result, gradient, sizes, { ...none, [name]: targets[i]! })
    );
    const sums = await gpu.downloadAll(targets.map(({ into }) => into));
    sums.forEach((data, i) =>
      assertClose(data, add(before[i]!, wanted[i + 1]!).data, { relative: 1e-5 }, prepared.label)
    );
  }
});

Deno.test("attention() gives zeros, and zero gradients, where a query sees nothing, and never reads what a mask hides", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("attention");
  const batch = 2, queries = 3, keys = 70, size = 4, random = createRandom(3);
  const sizes = { queries, keys, heads: 1, keyValueHeads: 1, size, causal: false, scale: 0.5 };
  const seen = Uint32Array.from({ length: batch * keys }, (_, i) => i < keys ? i % 2 : 0);
  const mask = gpu.upload(seen, "u32", [batch, keys], "mask");
  const dirty = (label: string) => {
    const m = randomMatrix(batch * keys, size, random.fork(label));
    return gpu.upload(
      Float32Array.from(m.data, (value, i) => seen[Math.floor(i / size)] ? value : [NaN, Infinity][i % 2]!),
      "f32",
      [batch * keys, size],
      label,
    );
  };
  const q = upload(gpu, randomMatrix(batch * queries, size, random), "q"), k = dirty("k"), v = dirty("v");
  const [out, dq, dk, dv] = await gpu.downloadAll(
    runAll(gpu, {
      label: "",
      sizes: { ...sizes, mask },
      tensors: [q, k, v],
      gradient: q,
      wanted: [] as never,
    }),
  );
  for (const data of [out, dq, dk, dv]) assert(data!.every(Number.isFinite));
  assert(out!.subarray(0, queries * size).every((value) => value !== 0));
  assertEquals(out!.subarray(queries * size), new Float32Array(queries * size));
  assertEquals(dq!.subarray(queries * size), new Float32Array(queries * size));
  for (const data of [dk, dv]) {
    data!.forEach((value, i) => assertEquals(value !== 0, seen[Math.floor(i / size)] === 1));
  }
});

Deno.test("attention() stays exact for huge scores", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("attention");
  const keys = 130,
    sizes = { queries: 3, keys, heads: 1, keyValueHeads: 1, size: 2, causal: false, scale: 1 };
  const q = gpu.upload(Float32Array.of(100, 0, -100, 0, 0, 1e15), "f32", [3, 2], "q");
  const k = gpu.upload(
    Float32Array.from(
      { length: 2 * keys },
      (_, i) => i % 2 === 0 ? (i === 2 * 77 ? 101 : 100 - i / 2) : -1e15,
    ),
    "f32",
    [keys, 2],
    "k",
  );
  const data = Float32Array.from({ length: 2 * keys }, (_, i) => i);
  const v = gpu.upload(data, "f32", [keys, 2], "v");
  const [out, ...gradients] = await gpu.downloadAll(
    runAll(gpu, { label: "", sizes, tensors: [q, k, v], gradient: q, wanted: [] as never }),
  );
  // Scores of 10,100 and 10,000; of 2,900 and 2,800; of -1e30 throughout.
  assertClose(out!, [2 * 77, 2 * 77 + 1, 2 * 129, 2 * 129 + 1, keys - 1, keys], { relative: 1e-6 });
  for (const gradient of gradients) assert(gradient.every(Number.isFinite));
});

Deno.test("attention() is not finite where q, k or v is not, whatever chunk it is in", async () => {
  const gpu = await testGpu();
  const queries = 2, keys = 130, size = 4;
  for (const causal of [false, true]) {
    const sizes = { queries, keys, heads: 1, keyValueHeads: 1, size, causal, scale: 1 };
    for (const bad of [NaN, Infinity, -Infinity]) {
      for (const [which, at] of [[0, 0], [0, 5], [1, 3], [1, 4 * 100], [2, 1], [2, 4 * 127 + 3]] as const) {
        using _ = gpu.scope("attention");
        const tensors = [queries, keys, keys].map((rows, i) => {
          const data = new Float32Array(rows * size).fill(0.5);
          if (i === which) data[at] = bad;
          return gpu.upload(data, "f32", [rows, size], "qkv"[i]!);
        }) as [Tensor, Tensor, Tensor];
        const out = await gpu.download(attention(gpu, ...tensors, sizes).out);
        // A key of -infinity is one that softmax gives no weight.
        const lost = which === 1 && bad === -Infinity;
        assertEquals(
          out.every(Number.isFinite),
          lost,
          `${bad} at ${at} of ${"qkv"[which]}, causal ${causal}`,
        );
      }
    }
  }
});

Deno.test("attention() and its gradients hold no matrix of scores", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("attention");
  const length = 1000,
    sizes = {
      ...{ queries: length, keys: length, heads: 1, keyValueHeads: 1, size: 2, causal: true, scale: 1 },
    };
  const x = gpu.zeros([length, 2], "x");
  const before = gpu.memory.liveBytes;
  gpu.resetPeak();
  runAll(gpu, { label: "", sizes, tensors: [x, x, x], gradient: x, wanted: [] as never });
  assertLess(gpu.memory.peakBytes - before, 100 * length);
});

Deno.test("attention() reaches every batch beyond 65,535", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many");
  const batch = 65_535 + 77,
    sizes = {
      ...{ queries: 1, keys: 2, heads: 1, keyValueHeads: 1, size: 1, causal: false, scale: 1 },
    };
  const q = gpu.zeros([batch, 1], "q"), k = gpu.zeros([2 * batch, 1], "k");
  const data = Float32Array.from({ length: 2 * batch }, (_, i) => i);
  const v = gpu.upload(data, "f32", [2 * batch, 1], "v");
  const out = await gpu.download(attention(gpu, q, k, v, sizes).out);
  assertEquals(out, Float32Array.from({ length: batch }, (_, i) => 2 * i + 0.5));
});

Deno.test("attention() refuses tensors that do not fit its sizes", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const sizes: AttentionSizes = {
    ...{ queries: 3, keys: 5, heads: 2, keyValueHeads: 1, size: 4, causal: false, scale: 1 },
  };
  const q = gpu.empty([6, 8], "q"), k = gpu.empty([10, 4], "k"), v = gpu.empty([10, 4], "v");
  const refuses = (
    message: string,
    change: Partial<AttentionSizes>,
    tensors: [Tensor, Tensor, Tensor] = [q, k, v],
  ) => assertThrows(() => attention(gpu, ...tensors, { ...sizes, ...change }), RangeError, message);
  refuses("Cannot share 2 key-value heads among 3 heads", { heads: 3, keyValueHeads: 2 });
  refuses('Cannot split "q" [6,8] into 2 heads of 4 over 5 queries', { queries: 5 });
  refuses('Cannot split "k" [10,4] into 1 heads of 4 over 2 x 4 keys', { keys: 4 });
  refuses('Cannot split "q" [6,8] into 1 heads of 4 over 2 x 5 keys', {}, [q, k, q]);
  const angles = (...shape: number[]) => ({ angles: gpu.empty(shape, "angles") });
  refuses('Cannot rotate heads of 4, 3 queries and 5 keys, by "angles" [4,2,2]', angles(4, 2, 2));
  refuses('by "angles" [5,1,2]', angles(5, 1, 2));
  refuses("Cannot rotate heads of 4, 6 queries and 5 keys", { queries: 6, ...angles(6, 2, 2) }, [
    gpu.empty([12, 8], "q"),
    k,
    v,
  ]);
  refuses("Cannot look at a window of 3 keys where no limit is causal", { window: 3 });
  refuses("Cannot look at a window of 0 keys: a whole number from 1 is needed", { window: 0, causal: true });
  refuses("Cannot cap scores at 0: a number above 0 is needed", { softCap: 0 });
  refuses('Cannot mask 2 x 5 keys by "mask" [5]', { mask: gpu.empty([5], "mask", "u32") });
  refuses('Cannot add "bias" [2,3,4] to the scores of 2 heads, 3 queries and 5 keys', {
    bias: gpu.empty([2, 3, 4], "bias"),
  });
});

Deno.test("attention() with a bias of each batch's own is that of every batch by itself, bit for bit, with its gradients", async () => {
  const gpu = await testGpu();
  for (const [length, size, keyValueHeads] of [[5, 3, 2], [68, 8, 1]] as const) {
    using _ = gpu.scope("own bias");
    const batch = 3, heads = 2, random = createRandom(length), numbers = length * heads * size;
    const draw = (name: string, rows: number, columns: number) =>
      randomMatrix(rows, columns, random.fork(name));
    const of = {
      q: draw("q", batch * length, heads * size),
      k: draw("k", batch * length, keyValueHeads * size),
      v: draw("v", batch * length, keyValueHeads * size),
      g: draw("g", batch * length, heads * size),
      bias: draw("bias", batch * heads * length, length),
    };
    const part = ({ data, columns }: Matrix, one: number, rows: number): Matrix => ({
      ...{ rows, columns },
      data: data.slice(one * rows * columns, (one + 1) * rows * columns),
    });
    const run = async (x: typeof of, batch: number) => {
      const [q, k, v, g] = [x.q, x.k, x.v, x.g].map((matrix, i) => upload(gpu, matrix, "qkvg"[i]!));
      const shape = batch === 1 ? [heads, length, length] : [batch, heads, length, length];
      const bias = upload(gpu, x.bias, "bias", shape);
      const sizes = {
        ...{ queries: length, keys: length, heads, keyValueHeads, size, causal: false, scale: 0.5, bias },
      };
      const result = attention(gpu, q!, k!, v!, sizes);
      const targets = [q!, k!, v!, bias].map((like) => gpu.zeros(like.shape, "gradient"));
      const [toQ, toK, toV, toBias] = targets.map((into) => ({ into, accumulate: false }));
      attentionBackward(gpu, q!, k!, v!, result, g!, sizes, { q: toQ!, k: toK!, v: toV!, bias: toBias! });
      return await gpu.downloadAll([result.out, ...targets]);
    };
    const together = await run(of, batch);
    for (let one = 0; one < batch; one++) {
      const rowsOf = { q: length, k: length, v: length, g: length, bias: heads * length };
      const alone = await run(
        Object.fromEntries(
          (["q", "k", "v", "g", "bias"] as const).map((name) => [name, part(of[name], one, rowsOf[name])]),
        ) as typeof of,
        1,
      );
      alone.forEach((wanted, i) => {
        const found = together[i]!.subarray(one * wanted.length, (one + 1) * wanted.length);
        assertEquals([...found], [...wanted], `batch ${one}, tensor ${i} of ${numbers}`);
      });
    }
  }
});
