/** @file Small models with seeded random weights, and batches for them. */
import { gatherMap, mapRows, type Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { createDecoder } from "../../models/decoder.ts";
import { createEncoderDecoder, type EncoderDecoderConfig } from "../../models/encoder_decoder.ts";
import {
  type Batch,
  type DecoderBatch,
  type EncoderDecoderBatch,
  type HostTensor,
  IGNORE,
  type Model,
  type VisionBatch,
} from "../../models/model.ts";
import { createVision } from "../../models/vision.ts";
import { initialWeights } from "../../models/weights.ts";
import { createRandom } from "../../numerics/random.ts";

/** Tokens that the tiny decoder knows, and the longest text that it takes. */
export const TINY_DECODER = { vocabulary: 11, length: 20 };

/** A decoder of one layer, in the caller's scope. */
export function tinyDecoder(gpu: Gpu, seed = 1): Model {
  return createDecoder(gpu, {
    ...TINY_DECODER,
    width: 8,
    layers: 1,
    heads: 2,
    keyValueHeads: 1,
    headSize: 4,
    hidden: 12,
    normEpsilon: 1e-5,
    ropeTheta: 10000,
    tiedHead: false,
  }, initialWeights(createRandom(seed))) as Model;
}

/** Sizes of which none is another, in the manner of T5 v1.1: two layers read, three write. */
export const TINY_ENCODER_DECODER: EncoderDecoderConfig = {
  vocabulary: 13,
  width: 10,
  encoderLayers: 2,
  decoderLayers: 3,
  heads: 2,
  headSize: 3,
  hidden: 7,
  feedForward: "gated-gelu",
  buckets: 8,
  maxDistance: 9,
  inputLength: 20,
  targetLength: 15,
  normEpsilon: 1e-5,
  tiedHead: false,
  startToken: 12,
  paddingToken: 1,
};

/** An encoder-decoder of `TINY_ENCODER_DECODER`'s sizes, in the caller's scope. */
export function tinyEncoderDecoder(gpu: Gpu, seed = 1): Model {
  return createEncoderDecoder(gpu, TINY_ENCODER_DECODER, initialWeights(createRandom(seed))) as Model;
}

/** A vision transformer of one layer for images of 6 x 6 pixels and 5 classes, in the caller's scope. */
export function tinyVision(gpu: Gpu, seed = 1): Model {
  return createVision(gpu, {
    image: 6,
    channels: 1,
    patch: 3,
    width: 8,
    layers: 1,
    heads: 2,
    hidden: 12,
    outputs: 5,
    activation: "gelu",
    normEpsilon: 1e-5,
  }, initialWeights(createRandom(seed))) as Model;
}

/** Random texts of 9 tokens, of which row i has i + 1 targets. */
export function textBatch(rows: number, seed = 1): DecoderBatch {
  const length = 9, random = createRandom(seed), shape = [rows, length];
  const draw = (label: string) =>
    Int32Array.from(random.fork(label).integers(rows * length, TINY_DECODER.vocabulary));
  const targets = draw("targets").map((token, i) => i % length <= Math.floor(i / length) ? token : IGNORE);
  return { family: "decoder", tokens: { data: draw("tokens"), shape }, targets: { data: targets, shape } };
}

/** Random inputs of up to 11 tokens, padded, with targets of 5 tokens, of which row i has i + 1; or other lengths. */
export function translationBatch(
  rows: number,
  seed = 1,
  { vocabulary = TINY_ENCODER_DECODER.vocabulary, read = 11, written = 5 } = {},
): EncoderDecoderBatch {
  const random = createRandom(seed);
  const draw = (label: string, count: number) =>
    Int32Array.from(random.fork(label).integers(rows * count, vocabulary));
  const lengths = random.fork("lengths").integers(rows, read);
  const mask = Uint32Array.from({ length: rows * read }, (_, i) => {
    const row = Math.floor(i / read);
    // The first row is not padded; every row has a token.
    return Number(row === 0 || i % read <= lengths[row]!);
  });
  const targets = draw("targets", written).map((token, i) =>
    i % written <= Math.floor(i / written) ? token : IGNORE
  );
  return {
    family: "encoder-decoder",
    inputs: { data: draw("inputs", read), shape: [rows, read] },
    inputMask: { data: mask, shape: [rows, read] },
    targets: { data: targets, shape: [rows, written] },
  };
}

/** What a batch asks a model to look at. */
export function inputsOf(batch: Batch): HostTensor<"i32"> | HostTensor<"f32"> {
  switch (batch.family) {
    case "decoder":
    case "encoder":
      return batch.tokens;
    case "encoder-decoder":
      return batch.inputs;
    case "vision":
      return batch.pixels;
  }
}

/** Random images for `tinyVision`. */
export function imageBatch(rows: number, seed = 1): VisionBatch {
  const random = createRandom(seed);
  return {
    family: "vision",
    pixels: { data: random.fork("pixels").normal(rows * 36, 1), shape: [rows, 1, 6, 6] },
    targets: { data: Int32Array.from(random.fork("targets").integers(rows, 5)), shape: [rows] },
  };
}

/** A decoder whose next token depends on the last one alone: `next[token]`. It has no parameters. */
export function scriptedDecoder(gpu: Gpu, next: readonly number[]): Model {
  const size = next.length;
  const table = new Float32Array(size * size);
  next.forEach((token, row) => table[row * size + token] = 1);
  const logits = gpu.upload(table, "f32", [size, size], "script");
  const after = (tape: Tape, tokens: ArrayLike<number>) =>
    mapRows(tape, tape.constant(logits), gatherMap(gpu, tokens, size));
  return {
    family: "decoder",
    parameters: [],
    targetModules: [],
    head: [],
    logits({ tape }, batch) {
      if (batch.family !== "decoder") throw new TypeError(`Cannot read batches for ${batch.family}`);
      return after(tape, batch.tokens.data);
    },
    writer: {
      room: (prompt, longest) => Math.max(0, longest - prompt + 1),
      begin: ({ tape }, prompts) => ({
        prompted: after(tape, prompts.map((prompt) => prompt[prompt.length - 1]!)),
        next: (tokens) => after(tape, tokens),
        // It keeps nothing.
        select: () => {},
      }),
    },
  };
}
