/**
 * @file The tensors that models make beside their parameters, by formula and without a GPU: what memory is predicted from.
 *
 * Counted operation by operation: who changes decoder.ts, vision.ts or what an operation of autodiff/ keeps, changes the
 * counts here. training/memory_test.ts holds them against live bytes.
 */
import type { DecoderConfig } from "./decoder.ts";
import type { VisionConfig } from "./vision.ts";

/** Tensors of equal size: how many, and the numbers in each. */
export type Kept = readonly (readonly [count: number, numbers: number])[];

/**
 * The tensors that a training pass over some examples makes, all of which live until it ends unless blocks are computed
 * again. What is left out are partial sums, which kernels free at once.
 */
export interface TapeTensors {
  /** Rows of x that go through each site. */
  readonly rows: number;
  /** Numbers of the stream between two blocks. */
  readonly stream: number;
  /** Of each block: what its forward pass makes, its output included. */
  readonly forward: Kept;
  /** Of each block: what its backward pass makes, the gradient of its input included. */
  readonly backward: Kept;
  /** Of these, what only the gradient of its input needs: nothing where nothing below is trained. */
  readonly inputGradient: Kept;
  /** Inputs, embedding, head and loss, forward and backward down to the last block's output. */
  readonly around: Kept;
  /** What the backward pass makes below the first block, where embeddings are trained. */
  readonly below: Kept;
}

/** A model as its memory is predicted from it. */
export interface ModelMemory {
  /** Blocks of the residual stream. */
  readonly layers: number;
  /** Numbers that it keeps beside its parameters, tensor by tensor. */
  readonly constants: readonly number[];
  /** What a training pass over so many examples of full length makes. */
  tape(examples: number): TapeTensors;
}

/** A Llama-like decoder. */
export function decoderMemory(config: DecoderConfig): ModelMemory {
  const { layers, length, headSize } = config;
  // Rotary angles.
  return { layers, constants: [length * headSize], tape: (examples) => decoderTape(config, examples) };
}

/** A vision transformer. */
export function visionMemory(config: VisionConfig): ModelMemory {
  return { layers: config.layers, constants: [], tape: (examples) => visionTape(config, examples) };
}

function decoderTape(config: DecoderConfig, examples: number): TapeTensors {
  const { width, heads, keyValueHeads, headSize, hidden, vocabulary, length } = config;
  const rows = examples * length, stream = rows * width;
  const asked = rows * heads * headSize, looked = rows * keyValueHeads * headSize;
  return {
    rows,
    stream,
    forward: [
      // Two norms, o, down and two sums.
      [6, stream],
      [2, 2 * rows],
      // q and the mix; k and v; the normalizers of attention.
      [2, asked],
      [2, looked],
      [1, 2 * rows * heads],
      // gate, up and their product.
      [3, rows * hidden],
    ],
    backward: [[4, stream], [2, asked], [2, looked], [3, rows * hidden]],
    // The first norm's output, and the sum of both ways to the input.
    inputGradient: [[2, stream]],
    around: [
      // Tokens as a choice of rows and its transpose, and targets.
      [4, rows],
      [1, vocabulary + 1],
      // Embedding and last norm; gradients of the norm's output and input.
      [4, stream],
      // The norm's statistics and the loss's normalizers.
      [2, 2 * rows],
      [1, rows],
      [2, rows * vocabulary],
      [1, 1],
    ],
    below: [],
  };
}

function visionTape(config: VisionConfig, examples: number): TapeTensors {
  const { image, channels, patch, width, heads, hidden, outputs } = config;
  const tokens = (image / patch) ** 2 + 1;
  const rows = examples * tokens, stream = rows * width, patches = examples * (tokens - 1);
  const pixels = channels * patch ** 2;
  return {
    rows,
    stream,
    forward: [
      // Two norms, two sums; q, k, v, o and fc2 without and with bias; the mix of values; the normalizers of attention.
      [4 + 10 + 1, stream],
      [2, 2 * rows],
      [1, 2 * rows * heads],
      [3, rows * hidden],
    ],
    backward: [[8, stream], [2, rows * hidden]],
    // The first norm's output, and the sum of both ways to the input.
    inputGradient: [[2, stream]],
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
