/** @file The T5-like encoder-decoder: RMS norm, bias by relative position, unscaled attention, cross-attention. */
import {
  activation,
  add,
  addRmsNorm,
  attention,
  embed,
  gatherMap,
  geglu,
  KeyValueCache,
  mapRows,
  outputLogits,
  relativeBias,
  rmsNorm,
  type RowMap,
} from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { elementCount, type Tensor } from "../gpu/tensor.ts";
import type { Random } from "../numerics/random.ts";
import {
  type EncoderDecoderBatch,
  type Forward,
  IGNORE,
  type LastHidden,
  type Model,
  type TargetModule,
} from "./model.ts";
import { padRight, scoped } from "./padded_prompts.ts";
import { loadParameters, type ParameterList, type Precisions, type WeightSource } from "./weights.ts";

/** Sizes and constants of an encoder-decoder, as in Raffel et al., arXiv 1910.10683, and T5 v1.1. */
export interface EncoderDecoderConfig {
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** Width of the residual streams. */
  readonly width: number;
  /** Blocks of the encoder. */
  readonly encoderLayers: number;
  /** Blocks of the decoder. */
  readonly decoderLayers: number;
  /** Heads of every attention. */
  readonly heads: number;
  /** Width of a head; heads · headSize need not be the width. */
  readonly headSize: number;
  /** Inner width of the feed-forward parts. */
  readonly hidden: number;
  /** wo(relu(wi x)) in v1.0, wo(gelu(wi_0 x) · wi_1 x) in v1.1. */
  readonly feedForward: "relu" | "gated-gelu";
  /** Rows of each table of biases by relative position: an even number from 4. */
  readonly buckets: number;
  /** Distance from which on all positions share a bucket; more than half the buckets. */
  readonly maxDistance: number;
  /** Longest input. Nothing in the network depends on it: tasks and costs do. */
  readonly inputLength: number;
  /** Longest target, as for inputs. */
  readonly targetLength: number;
  /** Added to the mean square before its root is taken. */
  readonly normEpsilon: number;
  /** True where the output layer is the embedding itself, as in v1.0; logits are then scaled by width^(-1/2). */
  readonly tiedHead: boolean;
  /** What the decoder reads before the first target. */
  readonly startToken: number;
  /** What it reads in place of targets that are IGNORE. */
  readonly paddingToken: number;
}

/** What the decoder's tokens look at. */
interface Look {
  /** Of the scores of self-attention. */
  readonly bias: Var;
  /** The encoder's output, where its keys and values are still to be computed. */
  readonly encoded: readonly Var[];
  /** Self-attention, given the layer's queries, keys, values and the bias. */
  readonly own: (tape: Tape, layer: number, q: Var, k: Var, v: Var, bias: Var) => Var;
  /** Cross-attention, given the layer's queries and what is encoded. */
  readonly others: (forward: Forward, layer: number, q: Var, encoded: readonly Var[]) => Var;
}

/** How relative positions are grouped. */
export type BucketOptions = Pick<EncoderDecoderConfig, "buckets" | "maxDistance"> & {
  /** True in the encoder, where half the buckets are for keys behind the query. */
  readonly bidirectional: boolean;
};

/** The maps of one attention. */
interface AttentionModules {
  readonly q: TargetModule;
  readonly k: TargetModule;
  readonly v: TargetModule;
  readonly o: TargetModule;
}

/** Parameters of an encoder-decoder under their Hugging Face names. */
export function encoderDecoderParameters(config: EncoderDecoderConfig): ParameterList {
  const { vocabulary, width, encoderLayers, decoderLayers, heads, headSize, hidden } = config;
  const inner = heads * headSize;
  const list = [{ name: "shared.weight", shape: [vocabulary, width] }];
  const attentionOf = (root: string, table: boolean) =>
    list.push(
      ...["q", "k", "v"].map((name) => ({ name: `${root}.${name}.weight`, shape: [inner, width] })),
      { name: `${root}.o.weight`, shape: [width, inner] },
      ...table ? [{ name: `${root}.relative_attention_bias.weight`, shape: [config.buckets, heads] }] : [],
    );
  const feedForwardOf = (root: string) =>
    list.push(
      ...inputMaps(config).map((name) => ({ name: `${root}.${name}.weight`, shape: [hidden, width] })),
      { name: `${root}.wo.weight`, shape: [width, hidden] },
    );
  const norm = (root: string) => list.push({ name: `${root}.weight`, shape: [width] });
  for (const [stack, layers] of [["encoder", encoderLayers], ["decoder", decoderLayers]] as const) {
    for (let layer = 0; layer < layers; layer++) {
      const part = (index: number) => `${stack}.block.${layer}.layer.${index}`;
      attentionOf(`${part(0)}.SelfAttention`, layer === 0);
      norm(`${part(0)}.layer_norm`);
      if (stack === "decoder") {
        attentionOf(`${part(1)}.EncDecAttention`, false);
        norm(`${part(1)}.layer_norm`);
      }
      const last = part(stack === "encoder" ? 1 : 2);
      feedForwardOf(`${last}.DenseReluDense`);
      norm(`${last}.layer_norm`);
    }
    norm(`${stack}.final_layer_norm`);
  }
  if (!config.tiedHead) list.push({ name: "lm_head.weight", shape: [vocabulary, width] });
  return list;
}

/** Names of the maps into the hidden width: what the activation function is applied to first. */
function inputMaps({ feedForward }: EncoderDecoderConfig): readonly string[] {
  return feedForward === "relu" ? ["wi"] : ["wi_0", "wi_1"];
}

/**
 * Weights to pretrain from, all normal but for norms, which are the identity. Embeddings have deviation 1, tables of
 * biases width^(-1/2) and maps in^(-1/2); those of queries are smaller by sqrt(headSize), which scores are not divided by.
 *
 * Source: the code of T5, but that an output layer of its own begins as other maps do: with deviation 1 the first
 * predictions would be all but certain, and wrong.
 */
export function initialEncoderDecoderWeights(
  { width, headSize }: Pick<EncoderDecoderConfig, "width" | "headSize">,
  random: Random,
): WeightSource {
  return (name, shape) => {
    const count = elementCount(shape);
    if (name.endsWith("norm.weight")) return new Float32Array(count).fill(1);
    if (name === "shared.weight") return random.fork(name).normal(count, 1);
    const inputs = name.endsWith("relative_attention_bias.weight") ? width : shape[1]!;
    const smaller = name.endsWith(".q.weight") ? headSize : 1;
    return random.fork(name).normal(count, (inputs * smaller) ** -0.5);
  };
}

/**
 * Builds an encoder-decoder on the GPU, in the caller's scope. Its logits are `[batch · target length, vocabulary]`. Target modules'
 * weights are kept in the precisions that are given, by name.
 *
 * @throws {RangeError} where positions cannot be grouped into the buckets
 */
export function createEncoderDecoder(
  gpu: Gpu,
  config: EncoderDecoderConfig,
  source: WeightSource,
  precisions: Precisions = new Map(),
): Model<EncoderDecoderBatch> {
  const { vocabulary, width, heads, headSize, buckets, maxDistance, normEpsilon: epsilon } = config;
  const { inputLength, targetLength, startToken, paddingToken } = config;
  if (!(buckets % 2 === 0 && buckets >= 4 && maxDistance > buckets / 2)) {
    throw new RangeError(
      `Cannot group positions up to distance ${maxDistance} into ${buckets} buckets: ` +
        "an even number from 4 is needed, and a distance of more than half of them",
    );
  }
  const weightName = (name: string) => name.endsWith(".weight") ? name : `${name}.weight`;
  const { parameters, frozen } = loadParameters(
    gpu,
    encoderDecoderParameters(config),
    source,
    new Map([...precisions].map(([name, type]) => [weightName(name), type])),
  );
  const parameter = (name: string): Parameter => parameters.get(`${name}.weight`)!;
  const targetModule = (name: string): TargetModule => {
    const weight = frozen.get(weightName(name)) ?? parameter(name);
    return { name, weight, out: weight.value.shape[0]!, in: weight.value.shape[1]! };
  };
  const attentionAt = (root: string): AttentionModules => ({
    q: targetModule(`${root}.q`),
    k: targetModule(`${root}.k`),
    v: targetModule(`${root}.v`),
    o: targetModule(`${root}.o`),
  });
  const feedForwardAt = (root: string) => ({
    norm: parameter(`${root}.layer_norm`),
    inputs: inputMaps(config).map((name) => targetModule(`${root}.DenseReluDense.${name}`)),
    output: targetModule(`${root}.DenseReluDense.wo`),
  });
  const encoder = Array.from({ length: config.encoderLayers }, (_, layer) => {
    const root = `encoder.block.${layer}.layer`;
    return {
      selfNorm: parameter(`${root}.0.layer_norm`),
      self: attentionAt(`${root}.0.SelfAttention`),
      feedForward: feedForwardAt(`${root}.1`),
    };
  });
  const decoder = Array.from({ length: config.decoderLayers }, (_, layer) => {
    const root = `decoder.block.${layer}.layer`;
    return {
      selfNorm: parameter(`${root}.0.layer_norm`),
      self: attentionAt(`${root}.0.SelfAttention`),
      crossNorm: parameter(`${root}.1.layer_norm`),
      cross: attentionAt(`${root}.1.EncDecAttention`),
      feedForward: feedForwardAt(`${root}.2`),
    };
  });
  const table = (name: string) => frozen.get(weightName(name)) ?? parameter(name);
  const embedding = table("shared");
  const encoderTable = parameter("encoder.block.0.layer.0.SelfAttention.relative_attention_bias");
  const decoderTable = parameter("decoder.block.0.layer.0.SelfAttention.relative_attention_bias");
  const encoderNorm = parameter("encoder.final_layer_norm");
  const decoderNorm = parameter("decoder.final_layer_norm");
  const targetModulesOf = ({ q, k, v, o }: AttentionModules) => [q, k, v, o];

  type FeedForward = ReturnType<typeof feedForwardAt>;
  const feedForward = ({ tape, linear }: Forward, { inputs, output }: FeedForward, x: Var): Var => {
    const [gate, up] = inputs.map((map) => linear(map, x));
    return linear(output, up ? geglu(tape, gate!, up) : activation(tape, gate!, "relu"));
  };
  /** The rows of a table of biases that a key takes from `from` before (or behind) a query on, for `count` distances. */
  const bucketRows = (from: number, count: number, bidirectional: boolean) => {
    const options = { buckets, maxDistance, bidirectional };
    return gatherMap(gpu, Array.from({ length: count }, (_, i) => bucketOf(from + i, options)), buckets);
  };
  const overwriting = { overwrite: true };
  // Scores are not divided by sqrt(headSize): T5 has that factor in its initial weights.
  const sizes = { heads, keyValueHeads: heads, size: headSize, scale: 1 };

  /** What the decoder looks at of `tokens`, inputs of `read` tokens each, where the mask is not 0. */
  const encode = (forward: Forward, tokens: RowMap, rows: RowMap, read: number, mask: Tensor<"u32">): Var => {
    const { tape } = forward;
    const encoderBias = relativeBias(tape, mapRows(tape, tape.parameter(encoderTable), rows), read, read);
    let x = embed(tape, tape.parameter(embedding), tokens);
    for (const block of encoder) {
      x = forward.block([x, encoderBias], (forward, [x, bias]) => {
        const { tape, linear } = forward, { q, k, v, o } = block.self;
        const y = rmsNorm(tape, x, tape.parameter(block.selfNorm), epsilon);
        const shape = { ...sizes, length: read, causal: false, mask, bias };
        const mixed = attention(tape, linear(q, y), linear(k, y), linear(v, y), shape);
        const weight = tape.parameter(block.feedForward.norm);
        const { sum, normed } = addRmsNorm(tape, x, linear(o, mixed), weight, epsilon, overwriting);
        return add(tape, sum, feedForward(forward, block.feedForward, normed), overwriting);
      });
    }
    return rmsNorm(tape, x, tape.parameter(encoderNorm), epsilon);
  };
  /** What scores are made of: of what follows each of `tokens`, whose queries look at each other and at the inputs as `look` says. */
  const decode = (forward: Forward, tokens: RowMap, { bias, encoded, own, others }: Look): LastHidden => {
    const { tape } = forward;
    let x = embed(tape, tape.parameter(embedding), tokens);
    for (const [layer, block] of decoder.entries()) {
      x = forward.block([x, bias, ...encoded], (forward, [x, bias, ...encoded]) => {
        const { tape, linear } = forward, { self, cross } = block;
        const y = rmsNorm(tape, x!, tape.parameter(block.selfNorm), epsilon);
        const mixed = own(tape, layer, linear(self.q, y), linear(self.k, y), linear(self.v, y), bias!);
        const crossWeight = tape.parameter(block.crossNorm);
        const first = addRmsNorm(tape, x!, linear(self.o, mixed), crossWeight, epsilon, overwriting);
        const looked = others(forward, layer, linear(cross.q, first.normed), encoded);
        const weight = tape.parameter(block.feedForward.norm);
        const second = addRmsNorm(tape, first.sum, linear(cross.o, looked), weight, epsilon, overwriting);
        return add(tape, second.sum, feedForward(forward, block.feedForward, second.normed), overwriting);
      });
    }
    const states = rmsNorm(tape, x, tape.parameter(decoderNorm), epsilon);
    const map = config.tiedHead
      ? { weight: tape.parameter(embedding), scale: width ** -0.5 }
      : { weight: tape.parameter(table("lm_head")) };
    return { states, map };
  };
  const scored = ({ tape }: Forward, { states, map }: LastHidden) => outputLogits(tape, states, map);

  const lastHidden = (forward: Forward, batch: EncoderDecoderBatch) => {
    const { tape } = forward, { inputs, targets } = batch;
    checkSizes(batch, config);
    const [, read] = inputs.shape as [number, number], [, written] = targets.shape as [number, number];

    // Host data goes first: an upload between dispatches would end the command buffer.
    const mask = gpu.upload(batch.inputMask.data, "u32", inputs.shape, "input mask");
    const inputRows = gatherMap(gpu, inputs.data, vocabulary);
    const targetRows = gatherMap(gpu, decoderInputs(targets.data, written, config), vocabulary);
    const encoderBuckets = bucketRows(1 - read, 2 * read - 1, true),
      decoderBuckets = bucketRows(1 - written, 2 * written - 1, false);

    const encoded = encode(forward, inputRows, encoderBuckets, read, mask);
    const values = mapRows(tape, tape.parameter(decoderTable), decoderBuckets);
    return decode(forward, targetRows, {
      bias: relativeBias(tape, values, written, written),
      encoded: [encoded],
      own: (tape, _, q, k, v, bias) =>
        attention(tape, q, k, v, { ...sizes, length: written, causal: true, bias }),
      others({ tape, linear }, layer, q, [encoded]) {
        const { cross } = decoder[layer]!, k = linear(cross.k, encoded!), v = linear(cross.v, encoded!);
        return attention(tape, q, k, v, { ...sizes, length: written, keys: read, causal: false, mask });
      },
    });
  };

  return {
    family: "encoder-decoder",
    parameters: [...parameters.values()],
    targetModules: [
      ...encoder.flatMap((
        { self, feedForward: { inputs, output } },
      ) => [...targetModulesOf(self), ...inputs, output]),
      ...decoder.flatMap(({ self, cross, feedForward: { inputs, output } }) => [
        ...[...targetModulesOf(self), ...targetModulesOf(cross)],
        ...[...inputs, output],
      ]),
    ],
    head: [],
    lastHidden,
    logits: (forward, batch) => scored(forward, lastHidden(forward, batch)),
    writer: {
      room: (prompt, longest) => prompt <= Math.min(longest, inputLength) ? targetLength : 0,
      begin(forward, prompts, tokens) {
        const { tape } = forward;
        const { tokens: inputs, padded: read, lengths } = padRight(prompts, inputLength, paddingToken);
        // The last token that is written is not read; the start token is.
        const room = Math.min(tokens, targetLength), layers = decoder.length;
        const own = new KeyValueCache(gpu, { ...sizes, layers }, prompts.length, room);
        const others = new KeyValueCache(gpu, { ...sizes, layers }, prompts.length, read);
        const next = (tokens: readonly number[]) => {
          own.advance();
          const { keys } = own, at = own.lengths[0]! - 1;
          const targetRows = gatherMap(gpu, tokens, vocabulary);
          const decoderBuckets = bucketRows(-at, keys, false);
          const values = mapRows(tape, tape.parameter(decoderTable), decoderBuckets);
          const hidden = decode(forward, targetRows, {
            bias: relativeBias(tape, values, 1, keys),
            encoded: [],
            own: (tape, layer, q, k, v, bias) => own.attend(tape, layer, q, k, v, bias),
            others: ({ tape }, layer, q) => others.look(tape, layer, q),
          });
          return scored(forward, hidden);
        };
        return {
          prompted: scoped(gpu, "prompts", () => {
            others.begin(lengths, read);
            const inputRows = gatherMap(gpu, inputs, vocabulary),
              buckets = bucketRows(1 - read, 2 * read - 1, true);
            const encoded = encode(forward, inputRows, buckets, read, others.mask);
            // The inputs are read once: only their keys and values stay.
            for (const [layer, { cross }] of decoder.entries()) {
              others.keep(layer, forward.linear(cross.k, encoded), forward.linear(cross.v, encoded));
            }
            return next(prompts.map(() => startToken));
          }),
          next,
          select(texts) {
            own.select(texts);
            others.select(texts);
          },
        };
      },
    },
  };
}

/**
 * The bucket of a key at position key − query = `relative`.
 *
 * The nearest half of a side's buckets hold one distance each; the others grow by a constant factor up to `maxDistance`.
 * In the decoder keys behind the query, which it does not see, share bucket 0 with the query's own position.
 *
 * Source: Raffel et al., arXiv 1910.10683, section 2.1, and its code, which rounds down.
 */
export function bucketOf(relative: number, options: BucketOptions): number {
  const { bidirectional, maxDistance } = options;
  const side = bidirectional ? options.buckets / 2 : options.buckets;
  const offset = bidirectional && relative > 0 ? side : 0;
  const distance = bidirectional ? Math.abs(relative) : Math.max(0, -relative);
  const exact = Math.floor(side / 2);
  if (distance < exact) return offset + distance;
  const share = Math.log(distance / exact) / Math.log(maxDistance / exact);
  return offset + Math.min(side - 1, exact + Math.floor(share * (side - exact)));
}

/** Targets shifted right behind the start token: what the decoder reads. */
function decoderInputs(
  targets: Int32Array,
  length: number,
  { startToken, paddingToken }: EncoderDecoderConfig,
): Int32Array {
  return targets.map((_, i) => {
    if (i % length === 0) return startToken;
    return targets[i - 1] === IGNORE ? paddingToken : targets[i - 1]!;
  });
}

/** @throws {RangeError} where a batch's parts do not fit each other or the model */
function checkSizes({ inputs, inputMask, targets }: EncoderDecoderBatch, config: EncoderDecoderConfig): void {
  const { inputLength, targetLength } = config;
  const [rows, read] = inputs.shape as [number, number], [targetRows, written] = targets.shape;
  if (read > inputLength || written! > targetLength) {
    throw new RangeError(
      `Cannot run an encoder-decoder of lengths ${inputLength} and ${targetLength} on inputs of ${read} tokens and targets of ${written}`,
    );
  }
  if (targetRows !== rows || inputMask.shape[0] !== rows || inputMask.shape[1] !== read) {
    throw new RangeError(
      `Cannot read inputs [${inputs.shape}] with a mask [${inputMask.shape}] and targets [${targets.shape}]: ` +
        `[${rows}, ${read}] and [${rows}, length] are needed`,
    );
  }
}
