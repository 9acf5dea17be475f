/** @file Taking examples out of fixed pools, and cutting them into batches. */
import type { TaskOptions } from "./task.ts";

/** Examples to train on and examples held out, with none in two of the lists. */
export interface Pools<T> {
  /** To train on. */
  readonly train: readonly T[];
  /** To choose settings with. */
  readonly validation: readonly T[];
  /** For final scores alone. */
  readonly test: readonly T[];
}

/**
 * The first examples of each pool, as many as the options say: more examples always include the fewer.
 *
 * @throws {RangeError} where a pool of the task `id` has fewer, or a count is not a positive integer
 */
export function takeExamples<T>(id: string, pools: Pools<T>, options: TaskOptions): Pools<T> {
  return {
    train: firstExamples(`training examples of "${id}"`, pools.train, options.trainExamples),
    validation: firstExamples(`validation examples of "${id}"`, pools.validation, options.validationExamples),
    test: firstExamples(`test examples of "${id}"`, pools.test, options.testExamples),
  };
}

/**
 * The first `count` examples of a pool, which the error calls by `name`.
 *
 * @throws {RangeError} where there are fewer, or `count` is not a positive integer
 */
export function firstExamples<T>(name: string, pool: readonly T[], count: number): readonly T[] {
  if (!Number.isInteger(count) || count < 1 || count > pool.length) {
    throw new RangeError(`Cannot take ${count} ${name}: there are ${pool.length}, and at least 1 is needed`);
  }
  return pool.slice(0, count);
}

/**
 * Items in groups of `size`, in order; the last may be smaller.
 *
 * @throws {RangeError} where `size` is not a positive integer
 */
export function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`Cannot make batches of ${size} examples: a positive integer is needed`);
  }
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
