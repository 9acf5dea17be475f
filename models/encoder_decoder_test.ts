import { assert, assertEquals, assertThrows } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { centralDifference } from "../tests/support/central_difference.ts";
import { add, fromRows, map, type Matrix, matrix, toRows } from "../tests/reference/matrix.ts";
import * as reference from "../tests/reference/network.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { TINY_ENCODER_DECODER, translationBatch } from "../tests/support/tiny_models.ts";
import { differentiate, targetCount } from "../training/loop/differentiate.ts";
import { plainForward } from "../training/loop/forward.ts";
import {
  bucketOf,
  createEncoderDecoder,
  type EncoderDecoderConfig,
  encoderDecoderParameters,
  initialEncoderDecoderWeights,
} from "./encoder_decoder.ts";
import { type EncoderDecoderBatch, IGNORE, type Model } from "./model.ts";
import type { WeightSource } from "./weights.ts";

/** In the manner of v1.1 and of v1.0, with other numbers of layers. */
const CONFIGS: Readonly<Record<string, EncoderDecoderConfig>> = {
  "v1.1": TINY_ENCODER_DECODER,
  "v1.0": {
    ...TINY_ENCODER_DECODER,
    encoderLayers: 1,
    decoderLayers: 2,
    heads: 3,
    headSize: 4,
    feedForward: "relu",
    buckets: 6,
    maxDistance: 5,
    tiedHead: true,
  },
};

/** Weights large enough for every part to matter. */
function weightsOf(seed: number): WeightSource {
  const random = createRandom(seed);
  return (name, shape) => {
    const count = shape.reduce((product, size) => product * size, 1), values = random.fork(name);
    return name.includes("norm") ? values.uniform(count, 0.5, 1.5) : values.normal(count, 0.5);
  };
}

/** The network in float64, written from the paper's text, on parameters by name. */
function referenceLogits(
  config: EncoderDecoderConfig,
  parameters: ReadonlyMap<string, Matrix>,
  { inputs, inputMask, targets }: EncoderDecoderBatch,
): Matrix {
  const of = (name: string) => parameters.get(`${name}.weight`)!;
  const batch = inputs.shape[0]!, read = inputs.shape[1]!, written = targets.shape[1]!;
  const { heads, headSize } = config;
  const embed = (tokens: readonly number[]) => fromRows(tokens.map((token) => toRows(of("shared"))[token]!));
  const norm = (x: Matrix, name: string) => reference.rmsNorm(x, of(name).data, config.normEpsilon);
  const bias = (stack: string, length: number) => {
    const table = toRows(of(`${stack}.block.0.layer.0.SelfAttention.relative_attention_bias`));
    return fromRows(Array.from({ length: heads * length }, (_, row) => {
      const head = Math.floor(row / length), query = row % length;
      return Array.from({ length }, (_, key) => {
        const options = { ...config, bidirectional: stack === "encoder" };
        return table[bucketOf(key - query, options)]![head]!;
      });
    }));
  };
  const attend = (x: Matrix, source: Matrix, root: string, how: Partial<reference.AttentionOptions>) => {
    const [q, k, v] = [["q", x], ["k", source], ["v", source]].map(([name, from]) =>
      reference.linear(from as Matrix, of(`${root}.${name}`))
    );
    const sizes = { batch, length: x.rows / batch, keys: source.rows / batch, heads, keyValueHeads: heads };
    const options = { ...sizes, headSize, causal: false, scale: 1, ...how };
    return reference.linear(reference.attention(q!, k!, v!, options), of(`${root}.o`));
  };
  const feedForward = (x: Matrix, root: string) => {
    const to = (name: string) => reference.linear(x, of(`${root}.${name}`));
    const inner = config.feedForward === "relu"
      ? reference.relu(to("wi"))
      : reference.geglu(to("wi_0"), to("wi_1"));
    return reference.linear(inner, of(`${root}.wo`));
  };
  const mask = inputMask.data;
  let x = embed([...inputs.data]);
  for (let layer = 0; layer < config.encoderLayers; layer++) {
    const part = (i: number, name: string) => `encoder.block.${layer}.layer.${i}.${name}`;
    const y = norm(x, part(0, "layer_norm"));
    x = add(x, attend(y, y, part(0, "SelfAttention"), { mask, bias: bias("encoder", read) }));
    x = add(x, feedForward(norm(x, part(1, "layer_norm")), part(1, "DenseReluDense")));
  }
  const encoded = norm(x, "encoder.final_layer_norm");
  const before = Array.from({ length: batch }, (_, row) => {
    const own = [...targets.data.subarray(row * written, (row + 1) * written)];
    return [
      config.startToken,
      ...own.slice(0, -1).map((token) => token === IGNORE ? config.paddingToken : token),
    ];
  });
  x = embed(before.flat());
  for (let layer = 0; layer < config.decoderLayers; layer++) {
    const part = (i: number, name: string) => `decoder.block.${layer}.layer.${i}.${name}`;
    const y = norm(x, part(0, "layer_norm"));
    x = add(x, attend(y, y, part(0, "SelfAttention"), { causal: true, bias: bias("decoder", written) }));
    x = add(x, attend(norm(x, part(1, "layer_norm")), encoded, part(1, "EncDecAttention"), { mask }));
    x = add(x, feedForward(norm(x, part(2, "layer_norm")), part(2, "DenseReluDense")));
  }
  x = norm(x, "decoder.final_layer_norm");
  if (!config.tiedHead) return reference.linear(x, of("lm_head"));
  return reference.linear(map(x, (value) => value / Math.sqrt(config.width)), of("shared"));
}

async function logitsOf(
  gpu: Gpu,
  model: Model<EncoderDecoderBatch>,
  batch: EncoderDecoderBatch,
): Promise<Float32Array> {
  using _ = gpu.scope("logits");
  const tape = new Tape(gpu, createGradients(gpu, []));
  return await gpu.download(model.logits(plainForward(tape), batch).value);
}

for (const [version, config] of Object.entries(CONFIGS)) {
  Deno.test(`createEncoderDecoder() agrees with float64 in sizes that none is another's multiple, and so do its gradients (${version})`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("float64");
    const source = weightsOf(1), batch = translationBatch(3);
    const model = createEncoderDecoder(gpu, config, source);
    const list = encoderDecoderParameters(config);
    const matrices = new Map(list.map(({ name, shape }) => {
      const [rows, columns] = shape.length === 1 ? [1, shape[0]!] : shape as [number, number];
      return [name, matrix(rows, columns, source(name, shape))];
    }));
    assertClose(await logitsOf(gpu, model, batch), referenceLogits(config, matrices, batch).data, {
      relative: 5e-6,
    });

    const store = createGradients(gpu, model.parameters), targets = targetCount(batch);
    const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
    differentiate(gpu, model as Model, batch, store, { parts: 1, seed, forward: plainForward });
    const gradients = await gpu.downloadAll(model.parameters.map((parameter) => store.of(parameter)));
    for (const [i, { name }] of list.entries()) {
      // A pass takes milliseconds: all of the tables of biases, and of the others a few entries far apart.
      const own = matrices.get(name)!, count = name.includes("bias") ? own.data.length : 3;
      const places = Array.from(
        { length: count },
        (_, at) => Math.floor((at + 0.5) * own.data.length / count),
      );
      const wanted = centralDifference(
        ([values]) => {
          const data = own.data.slice();
          places.forEach((place, at) => data[place] = values![at]!);
          const moved = new Map(matrices).set(name, { ...own, data });
          return reference.crossEntropy(referenceLogits(config, moved, batch), batch.targets.data, targets);
        },
        [Float64Array.from(places, (place) => own.data[place]!)],
        0,
      );
      const tolerance = { relative: 2e-5, absolute: 1e-7 };
      assertClose(places.map((place) => gradients[i]![place]!), wanted, tolerance, name);
    }
  });

  Deno.test(`createEncoderDecoder(): what padding holds has no say, nor how much there is (${version})`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("padding");
    const model = createEncoderDecoder(gpu, config, weightsOf(2)), batch = translationBatch(4);
    const { inputs, inputMask } = batch, [rows, read] = inputs.shape as [number, number];
    assert(inputMask.data.includes(0));
    const logits = await logitsOf(gpu, model, batch);
    const other = inputs.data.map((token, i) => inputMask.data[i] === 0 ? (token + 5) % 13 : token);
    assertEquals(await logitsOf(gpu, model, { ...batch, inputs: { ...inputs, data: other } }), logits);
    const longer = read + 6, place = (i: number) => Math.floor(i / read) * longer + i % read;
    const tokens = new Int32Array(rows * longer).fill(3), mask = new Uint32Array(rows * longer);
    inputs.data.forEach((token, i) => tokens[place(i)] = token);
    inputMask.data.forEach((seen, i) => mask[place(i)] = seen);
    const padded: EncoderDecoderBatch = {
      ...batch,
      inputs: { data: tokens, shape: [rows, longer] },
      inputMask: { data: mask, shape: [rows, longer] },
    };
    // Sums over keys in other chunks.
    assertClose(await logitsOf(gpu, model, padded), logits, { relative: 5e-6 });
  });

  Deno.test(`createEncoderDecoder(): a target changes the scores of those after it alone (${version})`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("causality");
    const model = createEncoderDecoder(gpu, config, weightsOf(3)), batch = translationBatch(1);
    const changed = batch.targets.data.with(2, 4), rows = batch.targets.data.length, { vocabulary } = config;
    const [before, after] = [
      await logitsOf(gpu, model, batch),
      await logitsOf(gpu, model, { ...batch, targets: { ...batch.targets, data: changed } }),
    ];
    for (let row = 0; row < rows; row++) {
      const own = (logits: Float32Array) => logits.subarray(row * vocabulary, (row + 1) * vocabulary);
      assertEquals(own(before).every((value, i) => value === own(after)[i]), row <= 2, `row ${row}`);
    }
    // IGNORE is read as the padding token.
    const explicit = batch.targets.data.map((token) => token === IGNORE ? config.paddingToken : token);
    assertEquals(
      await logitsOf(gpu, model, { ...batch, targets: { ...batch.targets, data: explicit } }),
      before,
    );
  });
}

Deno.test("createEncoderDecoder() takes inputs of which nothing is left, and single tokens", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("nothing");
  const model = createEncoderDecoder(gpu, CONFIGS["v1.0"]!, weightsOf(4));
  for (const seen of [0, 1]) {
    const batch: EncoderDecoderBatch = {
      family: "encoder-decoder",
      inputs: { data: Int32Array.of(3, 5), shape: [2, 1] },
      inputMask: { data: Uint32Array.of(1, seen), shape: [2, 1] },
      targets: { data: Int32Array.of(7, 8), shape: [2, 1] },
    };
    const store = createGradients(gpu, model.parameters);
    const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
    const loss = differentiate(gpu, model as Model, batch, store, { parts: 1, seed, forward: plainForward });
    for (const data of await gpu.downloadAll([loss, ...store.flats])) assert(data.every(Number.isFinite));
  }
});

Deno.test("createEncoderDecoder() keeps the weights of the target modules that are named in 16-bit floats", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("half");
  const config = CONFIGS["v1.1"]!, batch = translationBatch(2);
  const whole = createEncoderDecoder(gpu, config, weightsOf(5));
  const names = whole.targetModules.map(({ name }) => name).filter((name) => !name.endsWith(".q"));
  const half = createEncoderDecoder(gpu, config, weightsOf(5), new Map(names.map((name) => [name, "f16"])));
  assertEquals(
    half.targetModules.filter(({ weight }) => weight.value.dtype === "f16").map(({ name }) => name),
    names,
  );
  assertEquals(half.parameters.length, whole.parameters.length - names.length);
  // Eleven bits of each weight.
  assertClose(await logitsOf(gpu, half, batch), await logitsOf(gpu, whole, batch), { relative: 1e-2 });
});

Deno.test("createEncoderDecoder() refuses batches that don't fit by their sizes, and tables without room", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const config = CONFIGS["v1.1"]!, model = createEncoderDecoder(gpu, config, weightsOf(1));
  const run = (changes: Partial<EncoderDecoderBatch>) => () =>
    model.logits(plainForward(new Tape(gpu, createGradients(gpu, []))), {
      ...translationBatch(2),
      ...changes,
    });
  const tokens = (rows: number, length: number) => ({
    data: new Int32Array(rows * length),
    shape: [rows, length],
  });
  assertThrows(
    run({ targets: tokens(2, 16) }),
    RangeError,
    "Cannot run an encoder-decoder of lengths 20 and 15 on inputs of 11 tokens and targets of 16",
  );
  assertThrows(run({ inputs: tokens(2, 21) }), RangeError, "on inputs of 21 tokens");
  assertThrows(
    run({ targets: tokens(1, 5) }),
    RangeError,
    "Cannot read inputs [2,11] with a mask [2,11] and targets [1,5]: [2, 11] and [2, length] are needed",
  );
  assertThrows(run({ inputs: tokens(2, 10) }), RangeError, "with a mask [2,11]");
  const outside = tokens(2, 11);
  outside.data[3] = 13;
  assertThrows(
    run({ inputs: outside }),
    RangeError,
    "Cannot gather row 13 (position 3): the table has 13 rows",
  );
  for (const [buckets, maxDistance] of [[7, 20], [2, 20], [8, 4]] as const) {
    assertThrows(
      () => createEncoderDecoder(gpu, { ...config, buckets, maxDistance }, weightsOf(1)),
      RangeError,
      `Cannot group positions up to distance ${maxDistance} into ${buckets} buckets`,
    );
  }
});

Deno.test("bucketOf() begins its buckets where T5's code does, on either side", () => {
  // From Hugging Face's function in PyTorch, which agrees up to distance 3000 in many other settings too.
  const begins = (bidirectional: boolean) => {
    const at = (distance: number) => bucketOf(-distance, { buckets: 32, maxDistance: 128, bidirectional });
    return Array.from({ length: 300 }, (_, i) => i + 1).filter((i) => at(i) !== at(i - 1));
  };
  assertEquals(begins(true), [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]);
  assertEquals(begins(false), [
    ...Array.from({ length: 16 }, (_, i) => i + 1),
    ...[19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113],
  ]);
  const options = { buckets: 32, maxDistance: 128 };
  for (const distance of [1, 8, 50, 128, 1e6]) {
    const behind = bucketOf(-distance, { ...options, bidirectional: true });
    assertEquals(bucketOf(distance, { ...options, bidirectional: true }), behind + 16);
    assertEquals(bucketOf(distance, { ...options, bidirectional: false }), 0);
  }
});

Deno.test("initialEncoderDecoderWeights() have T5's deviations, and norms are the identity", () => {
  const config: EncoderDecoderConfig = { ...CONFIGS["v1.1"]!, width: 50, heads: 4, headSize: 9, hidden: 80 };
  const weights = initialEncoderDecoderWeights(config, createRandom(1));
  const shapes = new Map(encoderDecoderParameters(config).map(({ name, shape }) => [name, shape]));
  const values = (name: string) => weights(name, shapes.get(name)!);
  const deviations = {
    "shared.weight": 1,
    "lm_head.weight": 50 ** -0.5,
    "encoder.block.0.layer.0.SelfAttention.q.weight": (50 * 9) ** -0.5,
    "decoder.block.1.layer.1.EncDecAttention.q.weight": (50 * 9) ** -0.5,
    "encoder.block.1.layer.0.SelfAttention.k.weight": 50 ** -0.5,
    "decoder.block.2.layer.1.EncDecAttention.v.weight": 50 ** -0.5,
    "decoder.block.0.layer.0.SelfAttention.o.weight": 36 ** -0.5,
    "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": 50 ** -0.5,
    "encoder.block.0.layer.1.DenseReluDense.wi_1.weight": 50 ** -0.5,
    "encoder.block.0.layer.1.DenseReluDense.wo.weight": 80 ** -0.5,
  };
  for (const [name, deviation] of Object.entries(deviations)) {
    const drawn = values(name), squares = drawn.reduce((sum, value) => sum + value ** 2, 0);
    // Four standard errors.
    const allowed = 4 / Math.sqrt(2 * drawn.length);
    const ratio = Math.sqrt(squares / drawn.length) / deviation;
    assert(Math.abs(ratio - 1) < allowed, `${name}: ${ratio} of its deviation`);
    assertEquals(values(name), drawn);
  }
  for (const name of [...shapes.keys()].filter((name) => name.includes("norm"))) {
    assertEquals(values(name), new Float32Array(50).fill(1), name);
  }
});
