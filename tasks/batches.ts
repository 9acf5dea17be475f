/** @file The batches of tasks over pools of examples. */
import { createRandom } from "../numerics/random.ts";
import type { Batch } from "../models/model.ts";
import { inBatches, type Pools } from "./examples.ts";
import { batchPositions, trainingOrder } from "./order.ts";
import type { TaskData } from "./task.ts";

/**
 * Training batches in the order that a seed gives the task `id`, and batches of validation and test examples in the order
 * of their pools, each made by `batchOf`. Where a test example is not one that `fits`, there are no batches of test examples.
 */
export function poolBatches<T>(
  id: string,
  seed: number,
  { train, validation, test, testPool }: Pools<T>,
  batchOf: (examples: readonly T[]) => Batch,
  fits: (example: T) => boolean = () => true,
): Pick<TaskData, "trainBatch" | "validationBatches" | "testBatches" | "testPool"> {
  const order = trainingOrder(createRandom(seed).fork(`${id} order`), train.length);
  const batches = function* (pool: readonly T[], size: number) {
    for (const examples of inBatches(pool, size)) yield batchOf(examples);
  };
  return {
    trainBatch: (step, size) =>
      batchOf(batchPositions(step, size).map((position) => train[order(position)]!)),
    validationBatches: (size) => batches(validation, size),
    ...(test.every(fits) && { testBatches: (size: number) => batches(test, size) }),
    ...(testPool !== undefined && { testPool }),
  };
}
