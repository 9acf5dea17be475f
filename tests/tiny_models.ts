/** @file Small models with seeded random weights, and batches for them. */
import { mapRows, pickRows } from "../autodiff/mod.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { createDecoder } from "../models/decoder.ts";
import { type DecoderBatch, IGNORE, type Model, type VisionBatch } from "../models/model.ts";
import { createVision } from "../models/vision.ts";
import { initialWeights } from "../models/weights.ts";
import { createRandom } from "../numerics/random.ts";

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
  return {
    family: "decoder",
    parameters: [],
    sites: [],
    head: [],
    logits({ tape }, batch) {
      if (batch.family !== "decoder") throw new TypeError("Cannot read images");
      return mapRows(tape, tape.constant(logits), pickRows(gpu, batch.tokens.data, size));
    },
  };
}
