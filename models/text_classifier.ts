/**
 * @file Encoders of texts with a classifier: BERT (Devlin et al., arXiv 1810.04805), RoBERTa (Liu et al., arXiv 1907.11692),
 * DistilBERT (Sanh et al., arXiv 1910.01108) and DeBERTa-v3 (He et al., arXiv 2006.03654 and 2111.09543).
 */
import {
  activation,
  add,
  addLayerNorm,
  addRow,
  embed,
  gatherMap,
  mapRows,
  matmul,
  type RelativeRows,
  relativeRows,
  type RowJoin,
  rowJoin,
  type RowMap,
  softCap,
} from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import {
  type EncoderNames,
  type EncoderSizes,
  encoderStack,
  encoderStackParameters,
  layerNormed,
  layerNormOf,
  withBias,
} from "./encoder_stack.ts";
import type { EncoderBatch, Model } from "./model.ts";
import {
  type HeadValues,
  loadParameters,
  type ParameterList,
  type Precisions,
  type WeightSource,
} from "./weights.ts";

/** Sizes and constants of a text classifier. */
export interface TextClassifierConfig extends EncoderSizes {
  /** Whose names, positions and head it has. */
  readonly kind: "bert" | "roberta" | "distilbert" | "deberta";
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** Longest text in tokens. */
  readonly length: number;
  /** Kinds of token, such as first and second text; 0 where it has no table of them. */
  readonly types: number;
  /** The token that pads; RoBERTa counts positions from behind it. */
  readonly paddingToken: number;
  /** DeBERTa's relative positions; absent where positions are absolute. */
  readonly relative?: RelativeBuckets;
  /** Classes. */
  readonly outputs: number;
  /** What the classifier begins with where every method trains it; absent where it is the checkpoint's own. */
  readonly newHead?: HeadValues;
  /** True where the same goes for the map before it, which a checkpoint without a head may lack. */
  readonly newPooler?: true;
}

/** How distances share vectors of position. */
export interface RelativeBuckets {
  /** Buckets to either side: an even number. */
  readonly buckets: number;
  /** What `positionBucket` counts to. */
  readonly maxPosition: number;
}

/** What a family calls its parts beside the blocks. */
interface Head {
  /** Whether the map before the classifier goes with it: RoBERTa's. */
  readonly isOne: boolean;
  /** The map of the first token, and what is applied to what it gives. */
  readonly pooler: string;
  readonly bend: "tanh" | "relu" | "gelu";
  readonly classifier: string;
}

const BLOCKS = {
  stack: "layer",
  norms: "behind",
  norm1: "attention.output.LayerNorm",
  q: "attention.self.query",
  k: "attention.self.key",
  v: "attention.self.value",
  o: "attention.output.dense",
  norm2: "output.LayerNorm",
  into: "intermediate.dense",
  outOf: "output.dense",
} as const;

const NAMES: Readonly<Record<TextClassifierConfig["kind"], EncoderNames>> = {
  bert: { ...BLOCKS, root: "bert.encoder." },
  roberta: { ...BLOCKS, root: "roberta.encoder." },
  deberta: {
    ...BLOCKS,
    root: "deberta.encoder.",
    q: "attention.self.query_proj",
    k: "attention.self.key_proj",
    v: "attention.self.value_proj",
  },
  distilbert: {
    root: "distilbert.transformer.",
    stack: "layer",
    norms: "behind",
    norm1: "sa_layer_norm",
    q: "attention.q_lin",
    k: "attention.k_lin",
    v: "attention.v_lin",
    o: "attention.out_lin",
    norm2: "output_layer_norm",
    into: "ffn.lin1",
    outOf: "ffn.lin2",
  },
};

const HEADS: Readonly<Record<TextClassifierConfig["kind"], Head>> = {
  bert: { isOne: false, pooler: "bert.pooler.dense", bend: "tanh", classifier: "classifier" },
  roberta: { isOne: true, pooler: "classifier.dense", bend: "tanh", classifier: "classifier.out_proj" },
  distilbert: { isOne: false, pooler: "pre_classifier", bend: "relu", classifier: "classifier" },
  deberta: { isOne: false, pooler: "pooler.dense", bend: "gelu", classifier: "classifier" },
};

/** Seeds new heads: the same for all runs, as pretrained weights are. */
const HEAD_SEED = 1;

/** Parameters of the classifier, and of the map before it. */
export function textHeadParameters(config: TextClassifierConfig): {
  readonly classifier: ParameterList;
  readonly pooler: ParameterList;
} {
  const { kind, width, outputs } = config, head = HEADS[kind];
  return {
    classifier: withBias(head.classifier, outputs, width),
    pooler: withBias(head.pooler, width, width),
  };
}

/** Those of them that have no pretrained values. */
export function newHeadParameters(config: TextClassifierConfig): ParameterList {
  const { classifier, pooler } = textHeadParameters(config);
  if (!config.newHead) return [];
  return HEADS[config.kind].isOne || config.newPooler ? [...pooler, ...classifier] : classifier;
}

/** Rows of the table of positions: RoBERTa's first ones belong to no text. */
function positionRows({ kind, length, paddingToken }: TextClassifierConfig): number {
  return kind === "roberta" ? length + paddingToken + 1 : length;
}

/** Parameters under their Hugging Face names. */
export function textClassifierParameters(config: TextClassifierConfig): ParameterList {
  const { kind, vocabulary, types, width, relative } = config, root = `${kind}.embeddings`;
  const { classifier, pooler } = textHeadParameters(config);
  return [
    { name: `${root}.word_embeddings.weight`, shape: [vocabulary, width] },
    ...(relative
      ? []
      : [{ name: `${root}.position_embeddings.weight`, shape: [positionRows(config), width] }]),
    ...(types === 0 ? [] : [{ name: `${root}.token_type_embeddings.weight`, shape: [types, width] }]),
    ...withBias(`${root}.LayerNorm`, width),
    ...encoderStackParameters(NAMES[kind], config),
    ...(relative
      ? [
        { name: `${NAMES[kind].root}rel_embeddings.weight`, shape: [2 * relative.buckets, width] },
        ...withBias(`${NAMES[kind].root}LayerNorm`, width),
      ]
      : []),
    ...pooler,
    ...classifier,
  ];
}

/**
 * Builds a text classifier on the GPU, in the caller's scope. Its logits are `[batch, outputs]`. Nothing is dropped out. Target modules'
 * weights are kept in the precisions that are given, by name.
 */
export function createTextClassifier(
  gpu: Gpu,
  config: TextClassifierConfig,
  source: WeightSource,
  precisions: Precisions = new Map(),
): Model<EncoderBatch> {
  const { kind, vocabulary, types, length, relative, normEpsilon: epsilon } = config, head = HEADS[kind];
  const own = newHeadParameters(config);
  const weightName = (name: string) => name.endsWith(".weight") ? name : `${NAMES[kind].root}${name}.weight`;
  const loaded = loadParameters(
    gpu,
    textClassifierParameters(config),
    config.newHead === "seeded" ? withNewHead(source, own) : source,
    new Map([...precisions].map(([name, type]) => [weightName(name), type])),
  );
  const parameter = (name: string): Parameter => loaded.parameters.get(name)!;
  const embeddings = (name: string) => parameter(`${kind}.embeddings.${name}.weight`);
  const wordName = `${kind}.embeddings.word_embeddings.weight`;
  const wordTable = loaded.frozen.get(wordName) ?? parameter(wordName);
  const stack = encoderStack(loaded, NAMES[kind], config);
  const norm = layerNormOf(loaded, `${kind}.embeddings.LayerNorm`);
  const mapped = (tape: Tape, x: Var, name: string): Var =>
    addRow(
      tape,
      matmul(tape, x, tape.parameter(parameter(`${name}.weight`)), { transposeB: true }),
      tape.parameter(parameter(`${name}.bias`)),
    );

  return {
    family: "encoder",
    parameters: [...loaded.parameters.values()],
    targetModules: stack.targetModules,
    head: own.map(({ name }) => parameter(name)),
    logits(forward, batch) {
      const { tape } = forward, [texts, tokens] = batch.tokens.shape as [number, number];
      if (tokens > length) {
        throw new RangeError(`Cannot run an encoder of length ${length} on ${tokens} tokens`);
      }
      // Host data goes first: an upload between dispatches would end the command buffer.
      const mask = gpu.upload(batch.mask.data, "u32", batch.mask.shape, "mask");
      const words = gatherMap(gpu, batch.tokens.data, vocabulary);
      const positions = relative ? null : gatherMap(gpu, positionsOf(batch, config), positionRows(config));
      const distances = relative ? distancesOf(gpu, texts, tokens, relative) : null;
      const given = batch.types?.data ?? new Int32Array(texts * tokens);
      const ofTypes = types === 0 ? null : gatherMap(gpu, given, types);
      const first = gatherMap(gpu, Array.from({ length: texts }, (_, text) => text * tokens), texts * tokens);

      let x = embed(tape, tape.parameter(wordTable), words);
      if (ofTypes) {
        x = add(tape, x, mapRows(tape, tape.parameter(embeddings("token_type_embeddings")), ofTypes));
      }
      const normed = positions
        ? addLayerNorm(
          ...[tape, x, mapRows(tape, tape.parameter(embeddings("position_embeddings")), positions)] as const,
          ...[tape.parameter(norm.weight), tape.parameter(norm.bias), epsilon] as const,
        ).normed
        : layerNormed(tape, x, norm, epsilon);
      const relativeTo = distances && {
        ...distances,
        vectors: layerNormed(
          tape,
          mapRows(
            tape,
            tape.parameter(parameter(`${NAMES[kind].root}rel_embeddings.weight`)),
            distances.used,
          ),
          layerNormOf(loaded, `${NAMES[kind].root}LayerNorm`),
          epsilon,
        ),
      };
      const read = stack.run(forward, normed, tokens, mask, relativeTo ?? undefined);
      const pooled = mapped(tape, mapRows(tape, read, first), head.pooler);
      const bent = head.bend === "tanh" ? softCap(tape, pooled, 1) : activation(tape, pooled, head.bend);
      return mapped(tape, bent, head.classifier);
    },
  };
}

/**
 * The bucket of the distance i − j of a query i and a key j, with a sign: up to half of the buckets every distance has its own,
 * from there they grow by a constant factor.
 *
 * Source: `make_log_bucket_position` of https://github.com/microsoft/DeBERTa, which rounds up.
 */
export function positionBucket(distance: number, { buckets, maxPosition }: RelativeBuckets): number {
  const middle = buckets / 2, far = Math.abs(distance);
  if (far <= middle) return distance;
  const share = Math.log(far / middle) / Math.log((maxPosition - 1) / middle);
  return Math.sign(distance) * (Math.ceil(share * (middle - 1)) + middle);
}

/** The row of a distance in the table of positions. */
function positionRow(distance: number, relative: RelativeBuckets): number {
  return Math.min(
    2 * relative.buckets - 1,
    Math.max(0, positionBucket(distance, relative) + relative.buckets),
  );
}

/** The rows of the table of positions that texts of a length use: one after the other. */
export function usedPositions(
  length: number,
  relative: RelativeBuckets,
): { readonly first: number; readonly count: number } {
  const first = positionRow(1 - length, relative);
  return { first, count: positionRow(length - 1, relative) - first + 1 };
}

/** The rows of the table of positions that texts of a length use, and which distance uses which. */
function distancesOf(
  gpu: Gpu,
  texts: number,
  length: number,
  relative: RelativeBuckets,
): { readonly used: RowMap; readonly map: RelativeRows; readonly join: RowJoin } {
  const rows = 2 * relative.buckets, { first, count } = usedPositions(length, relative);
  const rowOf = (distance: number) => positionRow(distance, relative);
  return {
    join: rowJoin(gpu, texts * length, count),
    used: gatherMap(gpu, Array.from({ length: count }, (_, i) => first + i), rows),
    map: relativeRows(gpu, length, count, (distance) => rowOf(distance) - first),
  };
}

/** The row of each token's position. RoBERTa counts the tokens so far, from behind the padding's number. */
function positionsOf(
  { tokens, mask }: EncoderBatch,
  { kind, paddingToken }: TextClassifierConfig,
): Int32Array {
  const length = tokens.shape[1]!;
  let count = 0;
  return tokens.data.map((token, i) => {
    if (kind !== "roberta") return i % length;
    if (i % length === 0) count = 0;
    return mask.data[i] === 0 || token === paddingToken ? paddingToken : paddingToken + ++count;
  });
}

/** Normal with deviation 0.02, biases 0, as Hugging Face makes heads by `initializer_range`. */
function withNewHead(source: WeightSource, own: ParameterList): WeightSource {
  const random = createRandom(HEAD_SEED).fork("new head");
  return (name, shape) => {
    if (!own.some((one) => one.name === name)) return source(name, shape);
    const count = shape.reduce((product, size) => product * size, 1);
    return name.endsWith(".bias") ? new Float32Array(count) : random.fork(name).normal(count, 0.02);
  };
}
