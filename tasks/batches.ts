/** @file The batches of tasks over pools of examples. */
import { createRandom } from "../numerics/random.ts";
import type { Batch } from "../models/model.ts";
import { inBatches, type Pools } from "./examples.ts";
import { batchPositions, trainingOrder } from "./order.ts";
import type { TaskData } from "./task.ts";

/**
 * Training batches in the order that a seed gives the task `id`, and validation batches in the order of the pool, each
 * made by `batchOf`.
 */
export function poolBatches<T>(
  id: string,
  seed: number,
  { train, validation }: Pick<Pools<T>, "train" | "validation">,
  batchOf: (examples: readonly T[]) => Batch,
): Pick<TaskData, "trainBatch" | "validationBatches"> {
  const order = trainingOrder(createRandom(seed).fork(`${id} order`), train.length);
  return {
    trainBatch: (step, size) =>
      batchOf(batchPositions(step, size).map((position) => train[order(position)]!)),
    *validationBatches(size) {
      for (const examples of inBatches(validation, size)) yield batchOf(examples);
    },
  };
}
