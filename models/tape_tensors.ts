/**
 * @file The tensors that models make beside their parameters, by formula and without a GPU: what memory is predicted from.
 *
 * Counted operation by operation: who changes decoder.ts, gpt2.ts, encoder_decoder.ts, vision.ts, image_classifier.ts, text_classifier.ts, use_lite.ts or what an operation of autodiff/
 * keeps, changes the counts here. training/memory_test.ts holds them against live bytes.
 */
import { rowsAtOnce } from "../autodiff/mod.ts";
import type { DecoderConfig } from "./decoder.ts";
import type { EncoderDecoderConfig } from "./encoder_decoder.ts";
import type { Gpt2Config } from "./gpt2.ts";
import type { ImageClassifierConfig } from "./image_classifier.ts";
import { type TextClassifierConfig, usedPositions } from "./text_classifier.ts";
import { type UseLiteConfig, useLiteInput } from "./use_lite.ts";
import type { VisionConfig } from "./vision.ts";

/** Tensors of equal size: how many, and the numbers in each. */
export type Kept = readonly (readonly [count: number, numbers: number])[];

/** What one block makes in a training pass. */
export interface BlockTensors {
  /** The block whose output it takes in, by its place; null where that comes from data and embeddings alone. */
  readonly input: number | null;
  /** Numbers of its output, and of its input. */
  readonly stream: number;
  /** What its forward pass makes, its output included, but for `exact` and `unkept`. */
  readonly forward: Kept;
  /** What it makes beside that which is never rounded: statistics of rows. */
  readonly exact: Kept;
  /** What it makes beside that which no operation keeps: freed where the block's forward pass ends. */
  readonly unkept?: Kept;
  /** What its backward pass makes, the gradient of its input included. */
  readonly backward: Kept;
  /** Of these, what only the gradient of its input needs: nothing where nothing below is trained. */
  readonly inputGradient: Kept;
  /** Where it also looks at what another stack of blocks made. */
  readonly source?: {
    /** The last block of that stack. */
    readonly block: number;
    /**
     * Of the backward pass, what comes before it looks there, the gradient of its input aside: nothing where only that
     * stack is trained.
     */
    readonly before: Kept;
    /** Of the forward pass, what no operation keeps then. */
    readonly unkept: Kept;
  };
}

/**
 * The tensors that a training pass over some examples makes. Those of a block live until its backward pass is done; the others,
 * and the outputs of blocks, live until the whole pass ends. What is left out are partial sums, which kernels free at once.
 */
export interface TapeTensors {
  /** Rows of x that go through a target module. */
  rows(targetModule: string): number;
  /** The blocks of the residual streams, in the order of the forward pass. */
  readonly blocks: readonly BlockTensors[];
  /** Inputs, embeddings, head and loss, forward and, but for `loss.backward`, backward down to the last block's output. */
  readonly around: Kept;
  /** Where the loss is of a vocabulary, what is formed and freed between the passes, and what the backward pass makes then. */
  readonly loss?: { readonly part: Kept; readonly backward: Kept };
  /** What the backward pass makes between two stacks, where the lower one is trained, down to the output of its last block. */
  readonly between?: { readonly block: number; readonly backward: Kept };
  /** What the blocks' backward passes add up in together, where embeddings and tables are trained. */
  readonly shared?: Kept;
  /** What the backward pass makes below the first block of a stack, where embeddings and tables are trained. */
  readonly below: Kept;
}

/** A model as its memory is predicted from it. */
export interface ModelMemory {
  /** Numbers that it keeps beside its parameters, tensor by tensor. */
  readonly constants: readonly number[];
  /** The place of the block that a target module lies in. */
  blockOf(targetModule: string): number;
  /** What a training pass over so many examples makes. */
  tape(examples: number): TapeTensors;
}

/** A Llama-like decoder on texts of `tokens` tokens. */
export function decoderMemory(config: DecoderConfig, tokens: number): ModelMemory {
  const { length, headSize, width, windows, windowRopeTheta, normsFromOne } = config;
  const bases = windowRopeTheta !== undefined && windows?.some((one) => one !== null)
    ? windows.includes(null) ? 2 : 1
    : 1;
  return {
    // Rotary angles, and ones that norms begin from.
    constants: [
      ...Array<number>(bases).fill(length * headSize),
      ...(normsFromOne ? new Set([width, headSize]) : []),
    ],
    blockOf: layerOf,
    tape: (examples) => decoderTape(config, examples * tokens),
  };
}

/** GPT-2 on texts of `tokens` tokens. */
export function gpt2Memory(config: Gpt2Config, tokens: number): ModelMemory {
  return { constants: [], blockOf: layerOf, tape: (examples) => gpt2Tape(config, examples * tokens) };
}

/** A vision transformer. */
export function visionMemory(config: VisionConfig): ModelMemory {
  return { constants: [], blockOf: layerOf, tape: (examples) => visionTape(config, examples) };
}

/** An image classifier with a head of its own. */
export function imageClassifierMemory(config: ImageClassifierConfig): ModelMemory {
  const { image, patch, positionsFor } = config;
  return {
    // What resamples positions.
    constants: positionsFor === undefined
      ? []
      : [((image / patch) ** 2 + 1) * ((positionsFor / patch) ** 2 + 1)],
    blockOf: layerOf,
    tape: (examples) => imageClassifierTape(config, examples),
  };
}

/** An encoder of texts with a classifier, on texts of `tokens` tokens. */
export function textClassifierMemory(config: TextClassifierConfig, tokens: number): ModelMemory {
  return {
    constants: [],
    blockOf: layerOf,
    tape: (examples) => textClassifierTape(config, examples, tokens),
  };
}

/** A sentence encoder on texts of `tokens` tokens. */
export function useLiteMemory(config: UseLiteConfig, tokens: number): ModelMemory {
  const { length, embedding, width, classes } = config;
  return {
    // Positions, and what brings vectors to unit length.
    constants: [length * embedding, ...(classes === undefined ? [width] : [])],
    blockOf: layerOf,
    tape: (examples) => useLiteTape(config, examples, tokens),
  };
}

/** A T5-like encoder-decoder on examples of the config's lengths. */
export function encoderDecoderMemory(config: EncoderDecoderConfig): ModelMemory {
  return {
    constants: [],
    blockOf(targetModule) {
      const [, stack, layer] = /^(encoder|decoder)\.block\.(\d+)\./.exec(targetModule)!;
      return Number(layer) + (stack === "encoder" ? 0 : config.encoderLayers);
    },
    tape: (examples) => encoderDecoderTape(config, examples),
  };
}

/** The block of a target module that is named "layers.<block>.<map>", "layer.<block>.<map>" or "h.<block>.<map>". */
function layerOf(targetModule: string): number {
  return Number(/^(?:layers?|h)\.(\d+)\./.exec(targetModule)![1]);
}

/** Blocks one above the other that are alike, from a place on. */
function stackOf(
  count: number,
  block: Omit<BlockTensors, "input">,
  first = 0,
): BlockTensors[] {
  return Array.from({ length: count }, (_, i) => ({ ...block, input: i === 0 ? null : first + i - 1 }));
}

/**
 * The loss of `rows` hidden states of a vocabulary: what stays of it, and what is freed before the backward pass. `stream` is the
 * numbers of the states.
 */
function vocabularyLoss(
  rows: number,
  stream: number,
  { vocabulary, logitCap }: { readonly vocabulary: number; readonly logitCap?: number },
): { readonly kept: Kept; readonly loss: NonNullable<TapeTensors["loss"]> } {
  const atOnce = Math.min(rows, rowsAtOnce(vocabulary));
  return {
    // Targets, the rows' losses and their sum; the gradient of the states.
    kept: [[2, rows], [1, 1], [1, stream]],
    loss: {
      // Logits and their gradient, and the same of what they are bent to; normalizers.
      part: [[logitCap === undefined ? 2 : 4, atOnce * vocabulary], [1, 2 * atOnce]],
      // The gradient of the last norm's input.
      backward: [[1, stream]],
    },
  };
}

function decoderTape(config: DecoderConfig, rows: number): TapeTensors {
  const { width, layers, heads, keyValueHeads, headSize, hidden, vocabulary } = config;
  const stream = rows * width;
  const asked = rows * heads * headSize, looked = rows * keyValueHeads * headSize;
  const { headNorms, outputNorms, normsFromOne, embeddingScale } = config;
  const { kept, loss } = vocabularyLoss(rows, stream, config);
  /** What a part takes that only some decoders have. */
  const where = (has: unknown, kept: Kept): Kept => has ? kept : [];
  // Queries and keys before their norms, and on the way back their gradients.
  const eachHead: Kept = [[1, asked], [1, looked]];
  const block = {
    stream,
    forward: [
      // Two norms, o and down, in whose places two sums come.
      [4, stream],
      // q and the mix; k and v.
      [2, asked],
      [2, looked],
      // gate, up and their product.
      [3, rows * hidden],
      ...where(headNorms, eachHead),
      ...where(outputNorms, [[2, stream]]),
      ...where(normsFromOne, [[outputNorms ? 4 : 2, width]]),
      ...where(normsFromOne && headNorms, [[2, headSize]]),
    ],
    // Of norms, and the normalizers of attention.
    exact: [
      [outputNorms ? 4 : 2, 2 * rows],
      [1, 2 * rows * heads],
      ...where(headNorms, [[1, 2 * rows * heads], [1, 2 * rows * keyValueHeads]]),
    ],
    backward: [
      [4, stream],
      [2, asked],
      [2, looked],
      [3, rows * hidden],
      ...where(headNorms, eachHead),
      ...where(outputNorms, [[2, stream]]),
    ],
    // The first norm's output, and the sum of both ways to the input.
    inputGradient: [[2, stream]],
  } satisfies Partial<BlockTensors>;
  return {
    rows: () => rows,
    blocks: stackOf(layers, block),
    around: [
      // Tokens as a choice of rows and its transpose.
      [3, rows],
      [1, vocabulary + 1],
      // Embedding and last norm, and the norm's statistics.
      [2, stream],
      [1, 2 * rows],
      ...where(embeddingScale, [[1, stream]]),
      ...where(normsFromOne, [[1, width]]),
      ...kept,
    ],
    loss,
    below: where(embeddingScale, [[1, stream]]),
  };
}

function gpt2Tape(config: Gpt2Config, rows: number): TapeTensors {
  const { width, layers, heads, hidden, vocabulary, length } = config, stream = rows * width;
  const { kept, loss } = vocabularyLoss(rows, stream, { vocabulary });
  const block = {
    stream,
    forward: [
      // Two norms; c_proj twice, in whose places two sums come; q, k, v and the mix.
      [2 + 2 + 4, stream],
      [2, rows * hidden],
    ],
    exact: [[2, 2 * rows], [1, 2 * rows * heads]],
    // q, k and v together.
    unkept: [[1, 3 * stream]],
    backward: [[8, stream], [1, 3 * stream], [2, rows * hidden]],
    // The first norm's output, and the sum of both ways to the input.
    inputGradient: [[2, stream]],
  } satisfies Partial<BlockTensors>;
  return {
    rows: () => rows,
    blocks: stackOf(layers, block),
    around: [
      // Tokens, positions and the parts of joined rows as choices of rows and their transposes.
      [15, rows],
      [1, vocabulary + 1],
      [1, length + 1],
      [3, 3 * rows + 1],
      // Embedding, positions, their sum and the last norm, and its statistics.
      [4, stream],
      [1, 2 * rows],
      ...kept,
    ],
    loss,
    below: [],
  };
}

function visionTape(config: VisionConfig, examples: number): TapeTensors {
  const { image, channels, patch, width, layers, heads, hidden, outputs } = config;
  const tokens = (image / patch) ** 2 + 1;
  const rows = examples * tokens, stream = rows * width, patches = examples * (tokens - 1);
  const pixels = channels * patch ** 2;
  const block = {
    stream,
    forward: [
      // Two norms; q, k, v, o and fc2, the last two of which become sums; the mix of values.
      [2 + 5 + 1, stream],
      [2, rows * hidden],
    ],
    // Of norms, and the normalizers of attention.
    exact: [[2, 2 * rows], [1, 2 * rows * heads]],
    backward: [[8, stream], [2, rows * hidden]],
    // The first norm's output, and the sum of both ways to the input.
    inputGradient: [[2, stream]],
  } satisfies Partial<BlockTensors>;
  return {
    rows: () => rows,
    blocks: stackOf(layers, block),
    around: [
      [1, patches * pixels],
      // Five choices of rows and their transposes, and targets.
      [5, rows],
      [4, patches],
      [14, examples],
      [1, tokens],
      // Patches and class tokens in place, positions, two sums, the first norm; the gradient of the last block's output.
      [7, stream],
      [1, patches * width],
      // Class tokens before and after, the last norm, and the gradients of the latter two.
      [5, examples * width],
      [1, 2 * rows],
      [2, 2 * examples],
      [2, examples * outputs],
      [1, 1],
    ],
    below: [[1, stream], [1, patches * width], [1, examples * width], [1, width * pixels], [1, width]],
  };
}

function imageClassifierTape(config: ImageClassifierConfig, examples: number): TapeTensors {
  const { image, channels, patch, width, layers, heads, hidden, outputs, kind, positionsFor } = config;
  const tokens = (image / patch) ** 2 + 1;
  const rows = examples * tokens, stream = rows * width, patches = examples * (tokens - 1);
  const pixels = channels * patch ** 2, isVit = kind === "vit";
  const block = {
    stream,
    forward: [
      // As in CLIP's; DINOv2 scales two outputs.
      [2 + 5 + 1 + (isVit ? 0 : 2), stream],
      [2, rows * hidden],
    ],
    exact: [[2, 2 * rows], [1, 2 * rows * heads]],
    backward: [[isVit ? 8 : 10, stream], [2, rows * hidden]],
    inputGradient: [[2, stream]],
  } satisfies Partial<BlockTensors>;
  // What ViT reads is one row of each image, and DINOv2 two.
  const pooling: Kept = isVit
    // The row of each image, its norm, and the gradients of both; gradient of the last block's output.
    ? [[4, examples * width], [2, 2 * examples], [4, examples], [1, stream]]
    // Norm of all rows, its gradient, and that of the last block's output.
    : [[3, stream], [1, 2 * rows], [2, 2 * examples * width], [1, 2 * rows]];
  return {
    rows: () => rows,
    blocks: stackOf(layers, block),
    around: [
      [1, patches * pixels],
      // Four choices of rows and their transposes, and targets.
      [4, rows],
      [4, patches],
      [10, examples],
      [1, tokens],
      // Patches and class tokens in place, positions, two sums.
      [5, stream],
      [2, patches * width],
      [1, examples * width],
      ...(positionsFor === undefined ? [] : [[1, tokens * width] as const]),
      ...pooling,
      [4, examples * outputs],
      [1, 1],
    ],
    below: [[1, stream], [1, patches * width], [1, examples * width], [1, tokens * width]],
  };
}

function textClassifierTape(
  { width, layers, heads, hidden, vocabulary, length, types, outputs, relative }: TextClassifierConfig,
  examples: number,
  tokens: number,
): TapeTensors {
  const rows = examples * tokens, stream = rows * width;
  // Relative positions that are used, rows with theirs, and scores.
  const used = relative ? usedPositions(tokens, relative).count : 0;
  const all = rows + used, scores = examples * heads * tokens ** 2;
  const ofRelative = (kept: Kept): Kept => relative ? kept : [];
  const block = {
    stream,
    forward: [
      // As in CLIP's, with norms in other places.
      [2 + 5 + 1, stream],
      [2, rows * hidden],
      // Joined rows; queries and keys of them by their parts in the place of those above; scores.
      ...ofRelative([[1, all * width], [2, used * width], [1, scores]]),
    ],
    exact: [[2, 2 * rows], [1, 2 * rows * heads]],
    // Queries and keys of joined rows.
    unkept: ofRelative([[2, all * width]]),
    backward: [
      [9, stream],
      [2, rows * hidden],
      ...ofRelative([[3, all * width], [2, used * width], [1, scores]]),
    ],
    // The gradient that comes by the map of queries, and the sum with that by keys, values and the stream.
    inputGradient: [[1, stream]],
  } satisfies Partial<BlockTensors>;
  const ofTypes: Kept = types === 0 ? [] : [[3, rows], [1, types + 1], [2, stream]];
  // Positions as choices of rows of a table and their transpose, taken and added to words; or those of distances: taken, normed,
  // the row of each distance and the first distance of each row, and both kinds of rows in one.
  const positions: Kept = relative
    ? [
      ...[[3, used + 1], [1, 2 * relative.buckets + 1], [1, 2 * tokens - 1], [1, used + 1]] as const,
      ...[[2, used * width], [1, 2 * used]] as const,
      ...[[3, rows], [3, used], [2, all + 1]] as const,
    ]
    : [[3, rows], [1, length + 1], [2, stream]];
  return {
    rows: (targetModule) => relative && /\.(query|key)_proj$/.test(targetModule) ? all : rows,
    blocks: stackOf(layers, block),
    around: [
      // The mask; words as a choice of rows and its transpose.
      [1, rows],
      [3, rows],
      [1, vocabulary + 1],
      ...positions,
      ...ofTypes,
      // The first rows, and targets.
      [4, examples],
      [1, rows + 1],
      // Words and their norm; the gradient of the last block's output.
      [3, stream],
      [1, 2 * rows],
      // The first rows, the pooler's map without and with bias, what is bent, and gradients of the same.
      [7, examples * width],
      [3, examples * outputs],
      [2, examples],
      [1, 1],
    ],
    // The gradients of positions, normed and taken.
    shared: ofRelative([[1, used * width]]),
    below: [[1, stream], ...ofRelative([[1, used * width]])],
  };
}

function useLiteTape(config: UseLiteConfig, examples: number, tokens: number): TapeTensors {
  const { embedding, width, layers, heads, hidden, vocabulary, length, classes } = config;
  const rows = examples * tokens, stream = rows * width;
  const blocks = Array.from({ length: layers }, (_, layer): BlockTensors => {
    const inputs = useLiteInput(config, layer), read = rows * inputs;
    return {
      input: layer === 0 ? null : layer - 1,
      stream,
      forward: [
        // The first norm, the mix of values; q, k and v.
        [1 + 1 + 3, read],
        // The second norm; o and the map out of the hidden width, in whose places two sums come, and the residual's.
        [1 + 2 + (inputs === width ? 0 : 1), stream],
        [2, rows * hidden],
      ],
      exact: [[2, 2 * rows], [1, 2 * rows * heads]],
      backward: [[6, read], [2, stream], [2, rows * hidden]],
      // The first norm's output, and the sum of both ways to the input.
      inputGradient: [[2, read]],
    };
  });
  return {
    rows: () => rows,
    blocks,
    around: [
      // Mask and shares of means; words and positions as choices of rows and their transposes.
      [2, rows],
      [6, rows],
      [1, vocabulary + 1],
      [1, length + 1],
      // Words, positions and both sums; the gradient of the last block's output.
      [4, rows * embedding],
      [1, stream],
      // Means, the pooler's map without and with bias, what is bent, and gradients of the same; what is of unit length.
      [7 + (classes === undefined ? 2 : 0), examples * width],
      [3, examples * (classes ?? 0)],
      [2, examples],
      [1, 1],
    ],
    below: [[1, rows * embedding]],
  };
}

function encoderDecoderTape(config: EncoderDecoderConfig, examples: number): TapeTensors {
  const { vocabulary, width, encoderLayers, decoderLayers, heads, headSize, hidden, buckets } = config;
  const { inputLength, targetLength } = config;
  const read = examples * inputLength, written = examples * targetLength;
  // Streams, and what attention has in their place.
  const [readStream, writtenStream] = [read * width, written * width];
  const [readHeads, writtenHeads] = [read * heads * headSize, written * heads * headSize];
  // wi, or wi_0 and wi_1, and what the activation function makes of them.
  const inner = config.feedForward === "relu" ? 2 : 3;
  const encoder = stackOf(encoderLayers, {
    stream: readStream,
    forward: [
      // Two norms, o and wo, in whose places two sums come; q, k, v and the mix.
      [4, readStream],
      [4, readHeads],
      [inner, read * hidden],
    ],
    exact: [[2, 2 * read], [1, 2 * read * heads]],
    backward: [[4, readStream], [4, readHeads], [inner, read * hidden]],
    // The first norm's output, and the sum of both ways to the input.
    inputGradient: [[2, readStream]],
  });
  const decoder = stackOf(decoderLayers, {
    stream: writtenStream,
    forward: [
      // Three norms, o twice and wo, in whose places three sums come; q and the mix twice, k and v, and those of what was read.
      [6, writtenStream],
      [6, writtenHeads],
      [2, readHeads],
      [inner, written * hidden],
    ],
    exact: [[3, 2 * written], [2, 2 * written * heads]],
    backward: [[6, writtenStream], [6, writtenHeads], [2, readHeads], [inner, written * hidden]],
    inputGradient: [[2, writtenStream]],
    // Self-attention, and the query of cross-attention with the norm before it.
    source: {
      block: encoderLayers - 1,
      before: [[2, writtenStream], [5, writtenHeads]],
      // Both norms and the sum between them; q, k, v and the mix of self-attention.
      unkept: [[3, writtenStream], [4, writtenHeads]],
    },
  }, encoderLayers);
  const { kept, loss } = vocabularyLoss(written, writtenStream, { vocabulary });
  const distances = [2 * inputLength - 1, 2 * targetLength - 1];
  const byDistance: Kept = distances.map((count) => [1, count * heads]);
  const biases: Kept = [[1, heads * inputLength ** 2], [1, heads * targetLength ** 2]];
  return {
    rows: (targetModule) => /^encoder\.|EncDecAttention\.[kv]$/.test(targetModule) ? read : written,
    blocks: [...encoder, ...decoder],
    around: [
      // Tokens as choices of rows and their transposes, and mask.
      [4, read],
      [3, written],
      [2, vocabulary + 1],
      // The same of distances; biases by distance, spread over the scores.
      ...distances.map((count) => [3, count + 1] as const),
      [2, buckets + 1],
      ...byDistance,
      ...biases,
      // Embeddings and last norms, and their statistics.
      [2, readStream],
      [2, writtenStream],
      [1, 2 * read],
      [1, 2 * written],
      ...kept,
    ],
    loss,
    between: { block: encoderLayers - 1, backward: [[2, readStream]] },
    shared: biases,
    below: byDistance,
  };
}
