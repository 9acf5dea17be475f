/** @file What tasks of images have in common: batches in a training order, scored by accuracy. */
import type { VisionBatch } from "../../models/model.ts";
import { commonestShare, countEach } from "../commonest.ts";
import { inBatches, type Pools } from "../examples.ts";
import type { LabelledImage } from "../data/contents.ts";
import { DataError } from "../data/data_error.ts";
import type { TakenData, Taking } from "../data/load.ts";
import { batchPositions } from "../order.ts";
import type { Predictor, TaskData } from "../task.ts";

/** Images as a model takes them, `[channels · side · side]`. */
export interface ImageRendering<T> {
  /** The image of an example at a position of the training order. */
  readonly train: (example: T, position: number) => Float32Array;
  /** The image of a held-out example. */
  readonly heldOut: (example: T) => Float32Array;
}

/** Takes a run's examples from wherever its images are. */
export type TakeImages = <T extends object>(taking: Taking<LabelledImage, T>) => Promise<TakenData<T>>;

/** What a task's images are. */
export interface ImageKind {
  /** How many classes there are. */
  readonly classes: number;
  /** Pixels along each side. */
  readonly side: number;
  /** 1 (grey) or 3 (red, green, blue). */
  readonly channels: number;
}

/** Most rows in a batch that is classified, and most pixels of all channels: bounds what a score needs of the GPU. */
const SCORED = { rows: 128, pixels: 1 << 21 };

/** How many images of a kind are classified together. */
export function scoredTogether({ side, channels }: Omit<ImageKind, "classes">): number {
  return Math.max(1, Math.min(SCORED.rows, Math.floor(SCORED.pixels / (side ** 2 * channels))));
}

/** Serves examples as images, the training ones in an order from positions to indices. */
export function imageData<T extends { readonly label: number }>(
  examples: Pools<T>,
  order: (position: number) => number,
  rendering: ImageRendering<T>,
  kind: ImageKind,
): TaskData {
  const batchOf = (some: readonly T[], images: readonly Float32Array[]) => imageBatch(some, images, kind);
  const heldOutBatch = (some: readonly T[]) => batchOf(some, some.map(rendering.heldOut));
  const heldOutBatches = function* (pool: readonly T[], size: number) {
    for (const some of inBatches(pool, size)) yield heldOutBatch(some);
  };
  return {
    needs: { family: "vision", outputs: kind.classes, inputSize: kind.side },
    trainBatch(step, size) {
      const positions = batchPositions(step, size);
      const chosen = positions.map((position) => examples.train[order(position)]!);
      return batchOf(chosen, chosen.map((example, row) => rendering.train(example, positions[row]!)));
    },
    validationBatches: (size) => heldOutBatches(examples.validation, size),
    testBatches: (size) => heldOutBatches(examples.test, size),
    ...(examples.testPool !== undefined && { testPool: examples.testPool }),
    async score(predictor, split) {
      const scores: number[] = [];
      for (const batch of heldOutBatches(examples[split], scoredTogether(kind))) {
        scores.push(...await hits(predictor, batch));
      }
      return Float32Array.from(scores);
    },
    commonest: (split) => commonestShare(examples[split].map(({ label }) => label)),
    classCounts: (pool) => countEach(examples[pool].map(({ label }) => label), kind.classes),
  };
}

async function hits(predictor: Predictor, batch: VisionBatch): Promise<number[]> {
  const classes = await predictor.classify(batch);
  return Array.from(batch.targets.data, (target, row) => classes[row] === target ? 1 : 0);
}

function imageBatch(
  examples: readonly { readonly label: number }[],
  images: readonly Float32Array[],
  { side, channels }: ImageKind,
): VisionBatch {
  const size = channels * side * side, pixels = new Float32Array(examples.length * size);
  images.forEach((image, row) => pixels.set(image, row * size));
  return {
    family: "vision",
    pixels: { data: pixels, shape: [examples.length, channels, side, side] },
    targets: { data: Int32Array.from(examples, ({ label }) => label), shape: [examples.length] },
  };
}

/**
 * How many classes real images are of: as many as there are names, or else up to the largest that any has.
 *
 * @param purpose what they are for, e.g. `use DIR for "digits"`
 * @throws {DataError} where all are of one class, and where one is of a class without a name though others have names
 */
export function countClasses(
  { train, validation, test }: Pools<{ readonly label: number }>,
  names: readonly string[] | undefined,
  purpose: string,
): number {
  const found = new Set([...train, ...validation, ...test].map(({ label }) => label));
  const largest = Math.max(...found);
  if (names && largest >= names.length) {
    throw new DataError(
      `Cannot ${purpose}: it has an image of class ${largest}, and names of ${names.length}`,
    );
  }
  if (found.size === 1) {
    const name = names ? `"${names[largest]}"` : largest;
    throw new DataError(`Cannot ${purpose}: all of its images are of class ${name}, two classes are needed`);
  }
  return names?.length ?? largest + 1;
}
