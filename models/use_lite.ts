/**
 * @file The Universal Sentence Encoder, lite: texts of word pieces become vectors of unit length (Cer et al., arXiv 1803.11175), by
 * the encoder of Vaswani et al., arXiv 1706.03762, with norms before attention and feed-forward part. Equations as the graph of
 * https://tfhub.dev/google/universal-sentence-encoder-lite/2 has them.
 */
import {
  activation,
  add,
  addLayerNorm,
  addRow,
  attention,
  embed,
  gatherMap,
  mapRows,
  matmul,
  reshape,
  softCap,
} from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import { layerNormed, layerNormOf, withBias } from "./encoder_stack.ts";
import type { EncoderBatch, Model, TargetModule } from "./model.ts";
import {
  type HeadValues,
  loadParameters,
  type ParameterList,
  type Precisions,
  type WeightSource,
} from "./weights.ts";
import { unitRows, unitShare } from "./zero_shot.ts";

/** Sizes and constants of a sentence encoder. */
export interface UseLiteConfig {
  /** Tokens that it knows. Token 0 stands for unknown characters, and is passed over as padding is. */
  readonly vocabulary: number;
  /** Width of the embeddings, which the first block reads; even. */
  readonly embedding: number;
  /** Width of what blocks write, and of a text's vector. */
  readonly width: number;
  /** Blocks. */
  readonly layers: number;
  /** Attention heads; divides `embedding` and `width`. */
  readonly heads: number;
  /** Inner width of the feed-forward part. */
  readonly hidden: number;
  /** Longest text in tokens. */
  readonly length: number;
  /** Added to the variance before its root is taken. */
  readonly normEpsilon: number;
  /** Classes of a classifier on top, which every method trains; absent without one. */
  readonly classes?: number;
  /** What that classifier begins with. */
  readonly newHead?: HeadValues;
}

/** What all blocks' parameters begin with; target modules go without it. */
const ROOT = "encoder.";
/** Where the embeddings lie. */
const WORDS = "embeddings.word_embeddings.weight";
/** What mixes the mean of a text's tokens before it is bent. */
const POOLER = "pooler.dense";
/** The classifier on top. */
export const USE_LITE_CLASSIFIER = "classifier";
/** What a text's vectors are bent by: tanh, at this height. */
const BEND = 1;
/** The longest wavelength of positions, over 2 π. */
const LONGEST_WAVE = 10_000;
/** Seeds new classifiers: the same for all runs, as pretrained weights are. */
const HEAD_SEED = 1;

/** Width of what a block reads. */
export function useLiteInput({ embedding, width }: UseLiteConfig, layer: number): number {
  return layer === 0 ? embedding : width;
}

/** The classifier's parameters; none where there is no classifier. */
export function useLiteHead({ width, classes }: UseLiteConfig): ParameterList {
  return classes === undefined ? [] : withBias(USE_LITE_CLASSIFIER, classes, width);
}

/** Names and shapes of all parameters. */
export function useLiteParameters(config: UseLiteConfig): ParameterList {
  const { vocabulary, embedding, width, layers, hidden } = config;
  return [
    { name: WORDS, shape: [vocabulary, embedding] },
    ...Array.from({ length: layers }, (_, layer) => {
      const at = (part: string) => `${ROOT}layer.${layer}.${part}`, inputs = useLiteInput(config, layer);
      return [
        ...withBias(at("attention.norm"), inputs),
        ...["query", "key", "value"].flatMap((map) => withBias(at(`attention.${map}`), inputs, inputs)),
        ...withBias(at("attention.output.dense"), width, inputs),
        ...(inputs === width ? [] : withBias(at("residual"), width, inputs)),
        ...withBias(at("norm"), width),
        ...withBias(at("intermediate.dense"), hidden, width),
        ...withBias(at("output.dense"), width, hidden),
      ];
    }).flat(),
    ...withBias(POOLER, width, width),
    ...useLiteHead(config),
  ];
}

/**
 * Builds the encoder on the GPU, in the caller's scope. Its logits are texts of unit length, `[batch, width]`; with a classifier
 * `[batch, classes]`, of what the last layer bends, before it is brought to unit length. Nothing is dropped out. Target modules'
 * weights are kept in the precisions that are given, by name.
 */
export function createUseLite(
  gpu: Gpu,
  config: UseLiteConfig,
  source: WeightSource,
  precisions: Precisions = new Map(),
): Model<EncoderBatch> {
  const { vocabulary, embedding, width, layers, heads, length, classes, normEpsilon: epsilon } = config;
  const loaded = loadParameters(
    gpu,
    useLiteParameters(config),
    config.newHead === "seeded" ? withNewHead(source) : source,
    new Map(
      [...precisions].map((
        [name, type],
      ) => [name.endsWith(".weight") ? name : `${ROOT}${name}.weight`, type]),
    ),
  );
  const parameter = (name: string): Parameter => loaded.parameters.get(name)!;
  const wordTable = loaded.frozen.get(WORDS) ?? parameter(WORDS);
  const targetModule = (name: string): TargetModule => {
    const path = `${ROOT}${name}`,
      weight = loaded.frozen.get(`${path}.weight`) ?? parameter(`${path}.weight`);
    const [out, inputs] = weight.value.shape as [number, number];
    return { name, weight, bias: parameter(`${path}.bias`), out, in: inputs };
  };
  const blocks = Array.from({ length: layers }, (_, layer) => {
    const map = (part: string) => targetModule(`layer.${layer}.${part}`);
    const inputs = useLiteInput(config, layer), size = inputs / heads;
    return {
      norm1: layerNormOf(loaded, `${ROOT}layer.${layer}.attention.norm`),
      norm2: layerNormOf(loaded, `${ROOT}layer.${layer}.norm`),
      q: map("attention.query"),
      k: map("attention.key"),
      v: map("attention.value"),
      o: map("attention.output.dense"),
      residual: inputs === width ? null : map("residual"),
      into: map("intermediate.dense"),
      outOf: map("output.dense"),
      sizes: { heads, keyValueHeads: heads, size, scale: size ** -0.5 },
    };
  });
  const waves = gpu.upload(wavesOf(config), "f32", [length, embedding], "positions");
  const share = classes === undefined ? unitShare(gpu, width) : null;
  const mapped = (tape: Tape, x: Var, name: string): Var =>
    addRow(
      tape,
      matmul(tape, x, tape.parameter(parameter(`${name}.weight`)), { transposeB: true }),
      tape.parameter(parameter(`${name}.bias`)),
    );

  return {
    family: "encoder",
    parameters: [...loaded.parameters.values()],
    targetModules: blocks.flatMap((
      { q, k, v, o, residual, into, outOf },
    ) => [q, k, v, o, ...(residual ? [residual] : []), into, outOf]),
    head: useLiteHead(config).map(({ name }) => parameter(name)),
    logits(forward, batch) {
      const { tape } = forward, [texts, tokens] = batch.tokens.shape as [number, number];
      if (tokens > length) {
        throw new RangeError(`Cannot run an encoder of length ${length} on ${tokens} tokens`);
      }
      // Host data goes first: an upload between dispatches would end the command buffer.
      const seen = seenTokens(batch);
      const mask = gpu.upload(seen, "u32", batch.mask.shape, "mask");
      const means = gpu.upload(meansOf(seen, texts, tokens), "f32", [texts, 1, tokens], "means");
      const words = gatherMap(gpu, batch.tokens.data, vocabulary);
      const places = gatherMap(gpu, Array.from({ length: texts * tokens }, (_, i) => i % tokens), length);

      const e = embed(tape, tape.parameter(wordTable), words);
      // The graph adds positions to the embeddings, and the embeddings to that.
      let x = add(tape, e, add(tape, e, mapRows(tape, tape.constant(waves), places)));
      for (const { norm1, norm2, q, k, v, o, residual, into, outOf, sizes } of blocks) {
        const shape = { ...sizes, length: tokens, causal: false, mask };
        x = forward.block([x], ({ tape, linear }, [x]) => {
          const y = layerNormed(tape, x, norm1, epsilon);
          const attended = linear(o, attention(tape, linear(q, y), linear(k, y), linear(v, y), shape));
          const kept = residual ? linear(residual, x) : x;
          const scale = [tape.parameter(norm2.weight), tape.parameter(norm2.bias)] as const;
          const { sum, normed } = addLayerNorm(tape, kept, attended, ...scale, epsilon, { overwrite: true });
          const fed = linear(outOf, activation(tape, linear(into, normed), "relu"));
          return add(tape, sum, fed, { overwrite: true });
        });
      }
      const mean = matmul(tape, tape.constant(means), reshape(tape, x, [texts, tokens, width]));
      const pooled = mapped(tape, reshape(tape, mean, [texts, width]), POOLER);
      const bent = softCap(tape, pooled, BEND);
      return share ? unitRows(tape, bent, share) : mapped(tape, bent, USE_LITE_CLASSIFIER);
    },
  };
}

/** Sines and cosines of each position, `[length, embedding]`: wavelengths from 2 π to ten thousand times that. */
function wavesOf({ length, embedding }: UseLiteConfig): Float32Array<ArrayBuffer> {
  const half = embedding / 2, out = new Float32Array(length * embedding);
  for (let position = 0; position < length; position++) {
    for (let wave = 0; wave < half; wave++) {
      const angle = position * LONGEST_WAVE ** (-wave / (half - 1));
      out[position * embedding + wave] = Math.sin(angle);
      out[position * embedding + half + wave] = Math.cos(angle);
    }
  }
  return out;
}

/** 1 where a token is looked at and averaged: neither padding nor an unknown character. */
function seenTokens({ tokens, mask }: EncoderBatch): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(mask.data, (seen, i) => Number(seen !== 0 && tokens.data[i] !== 0));
}

/** What a text's tokens are averaged by: each row sums to 1, or has zeros alone where no token is seen. */
function meansOf(seen: Uint32Array, texts: number, tokens: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(texts * tokens);
  for (let text = 0; text < texts; text++) {
    const own = seen.subarray(text * tokens, (text + 1) * tokens);
    const count = own.reduce((sum, one) => sum + one, 0);
    own.forEach((one, i) => out[text * tokens + i] = one === 0 ? 0 : 1 / count);
  }
  return out;
}

/** Normal with deviation 0.02, biases 0, as heads of other encoders begin. */
function withNewHead(source: WeightSource): WeightSource {
  const random = createRandom(HEAD_SEED).fork("new head");
  return (name, shape) => {
    if (!name.startsWith(`${USE_LITE_CLASSIFIER}.`)) return source(name, shape);
    const count = shape.reduce((product, size) => product * size, 1);
    return name.endsWith(".bias") ? new Float32Array(count) : random.fork(name).normal(count, 0.02);
  };
}
