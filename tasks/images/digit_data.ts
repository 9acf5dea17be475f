/** @file What the digit tasks have in common: batches of images in a training order, scored by accuracy. */
import type { VisionBatch } from "../../models/model.ts";
import { inBatches, type Pools } from "../examples.ts";
import { type Digit, SIDE } from "./mnist.ts";
import { batchPositions } from "../order.ts";
import type { Predictor, TaskData } from "../task.ts";

/** Images `[28 · 28]` of values in [-1, 1]. */
export interface DigitRendering {
  /** The image of a digit at a position of the training order. */
  readonly train: (digit: Digit, position: number) => Float32Array;
  /** The image of a held-out digit. */
  readonly heldOut: (digit: Digit) => Float32Array;
}

/** How many classes the digit tasks have. */
export const CLASSES = 10;

/** Rows in a batch that is classified: bounds what a score needs of the GPU. */
const SCORE_BATCH = 128;

/** Serves digits as images, the training ones in an order from positions to indices. */
export function digitData(
  digits: Pools<Digit>,
  order: (position: number) => number,
  rendering: DigitRendering,
): TaskData {
  const heldOutBatch = (some: readonly Digit[]) => imageBatch(some, some.map(rendering.heldOut));
  return {
    needs: { family: "vision", outputs: CLASSES, inputSize: SIDE },
    trainBatch(step, size) {
      const positions = batchPositions(step, size);
      const chosen = positions.map((position) => digits.train[order(position)]!);
      return imageBatch(chosen, chosen.map((digit, row) => rendering.train(digit, positions[row]!)));
    },
    *validationBatches(size) {
      for (const some of inBatches(digits.validation, size)) yield heldOutBatch(some);
    },
    async score(predictor, split) {
      const scores: number[] = [];
      for (const some of inBatches(digits[split], SCORE_BATCH)) {
        scores.push(...await hits(predictor, heldOutBatch(some)));
      }
      return Float32Array.from(scores);
    },
  };
}

async function hits(predictor: Predictor, batch: VisionBatch): Promise<number[]> {
  const classes = await predictor.classify(batch);
  return Array.from(batch.targets.data, (target, row) => classes[row] === target ? 1 : 0);
}

function imageBatch(digits: readonly Digit[], images: readonly Float32Array[]): VisionBatch {
  const pixels = new Float32Array(digits.length * SIDE * SIDE);
  images.forEach((image, row) => pixels.set(image, row * SIDE * SIDE));
  return {
    family: "vision",
    pixels: { data: pixels, shape: [digits.length, 1, SIDE, SIDE] },
    targets: { data: Int32Array.from(digits, ({ label }) => label), shape: [digits.length] },
  };
}
