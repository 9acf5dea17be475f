/** @file The training step that all peers take: sizes, data, initial weights and hyperparameters. */
import { type DecoderConfig, decoderParameters } from "../../../models/decoder.ts";
import type { DecoderBatch } from "../../../models/model.ts";
import { initialWeights } from "../../../models/weights.ts";
import type { AdamwOptions } from "../../../optimizers/adamw.ts";
import { createRandom, type Random } from "../../../numerics/random.ts";

/** What varies between problems. */
export interface Variant {
  readonly layers: number;
  readonly vocabulary: number;
}

/** A parameter's initial value. */
export interface Weight {
  /** As in a Hugging Face checkpoint. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** One training problem, as plain numbers that every library can read. */
export interface Problem {
  /** E.g. "L2 V64". */
  readonly label: string;
  readonly decoder: DecoderConfig;
  /** Sequences of a batch. */
  readonly batch: number;
  /** Initial weights in the decoder's order. */
  readonly weights: readonly Weight[];
  /** Step t trains on batch t - 1, counted round. */
  readonly batches: readonly DecoderBatch[];
  /** AdamW on every parameter, norms and embedding included. */
  readonly adamw: AdamwOptions & { readonly learningRate: number };
}

/** The variants that are measured. */
export const variants: readonly Variant[] = [2, 4].flatMap((layers) =>
  [64, 256].map((vocabulary) => ({ layers, vocabulary }))
);

/**
 * Width 128, 4 heads, 64 positions, 16 sequences. The hidden width is 8/3 of the width, rounded up to a multiple of 8
 * as Llama's is: three matrices of that height cost what two of four times the width did before SwiGLU.
 */
export function createProblem({ layers, vocabulary }: Variant): Problem {
  const decoder: DecoderConfig = {
    vocabulary,
    layers,
    width: 128,
    heads: 4,
    keyValueHeads: 4,
    headSize: 32,
    hidden: 344,
    length: 64,
    normEpsilon: 1e-5,
    ropeTheta: 10000,
    tiedHead: false,
  };
  const random = createRandom(1);
  const source = initialWeights(random.fork("weights"));
  return {
    label: `L${layers} V${vocabulary}`,
    decoder,
    batch: 16,
    weights: decoderParameters(decoder).map(({ name, shape }) => ({
      name,
      shape,
      data: source(name, shape),
    })),
    batches: createBatches(random.fork("data"), { vocabulary, length: decoder.length, batch: 16, count: 8 }),
    adamw: { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  };
}

/** Sequences in which a token's successor is, nine times of ten, the one that a fixed permutation gives it. */
function createBatches(
  random: Random,
  { vocabulary, length, batch, count }: {
    readonly vocabulary: number;
    readonly length: number;
    readonly batch: number;
    readonly count: number;
  },
): DecoderBatch[] {
  const successor = random.fork("successors").permutation(vocabulary);
  return Array.from({ length: count }, (_, b) => {
    const any = random.fork(`tokens ${b}`).integers(batch * (length + 1), vocabulary);
    const kept = random.fork(`kept ${b}`).uniform(batch * (length + 1), 0, 1);
    const tokens = new Int32Array(batch * length), targets = new Int32Array(batch * length);
    for (let row = 0; row < batch; row++) {
      let token = any[row * (length + 1)]!;
      for (let i = 0; i < length; i++) {
        const at = row * (length + 1) + i + 1;
        tokens[row * length + i] = token;
        token = kept[at]! < 0.9 ? successor[token]! : any[at]!;
        targets[row * length + i] = token;
      }
    }
    const shape = [batch, length];
    return { family: "decoder", tokens: { data: tokens, shape }, targets: { data: targets, shape } };
  });
}
