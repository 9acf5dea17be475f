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
  /** How many there are to test on, of which `test` are some; absent where nobody counted. */
  readonly testPool?: number;
}

/**
 * The first examples of each pool, as many as the options say: more examples always include the fewer. Of the test
 * examples those of the options' slice.
 *
 * @throws {RangeError} where a pool of the task `id` has fewer, or a count is not a positive integer
 */
export function takeExamples<T>(id: string, pools: Pools<T>, options: TaskOptions): Pools<T> {
  return {
    train: firstExamples(`training examples of "${id}"`, pools.train, options.trainExamples),
    validation: firstExamples(`validation examples of "${id}"`, pools.validation, options.validationExamples),
    test: sliceOf(`test examples of "${id}"`, pools.test, options),
    testPool: pools.test.length,
  };
}

/** The examples of a slice as long as it is asked for; after the pool's last comes its first again. */
function sliceOf<T>(
  name: string,
  pool: readonly T[],
  { testExamples: count, testSlice = 0 }: Pick<TaskOptions, "testExamples" | "testSlice">,
): readonly T[] {
  const first = firstExamples(name, pool, count);
  return testSlice === 0 ? first : first.map((_, i) => pool[(testSlice * count + i) % pool.length]!);
}

/** How many examples pools have together that are cut of one draw. */
export function drawnFor(sizes: HeldOutSizes & { readonly train: number }): number {
  return sizes.test + sizes.validation + sizes.train + (sizes.moreTest ?? 0);
}

/** How many examples are held out. */
export interface HeldOutSizes {
  /** Of the first. */
  readonly test: number;
  /** Of those behind them. */
  readonly validation: number;
  /** Of the last, to test on too: a pool to test on can grow so, and changes no other. 0 where it is absent. */
  readonly moreTest?: number;
}

/**
 * The first examples as those to test on, the next as those to validate with, and all others to train on, but for the last
 * where more are wanted to test on.
 */
export function cutPools<T>(
  examples: readonly T[],
  { test, validation, moreTest = 0 }: HeldOutSizes,
): Pools<T> {
  const trainStart = test + validation, trainEnd = examples.length - moreTest;
  return {
    test: [...examples.slice(0, test), ...examples.slice(trainEnd)],
    validation: examples.slice(test, trainStart),
    train: examples.slice(trainStart, trainEnd),
  };
}

/**
 * What a corpus without end keeps out of its rows: the first half of `heldOut` to validate with, the second to test on,
 * and of each as many as the options say.
 *
 * @throws {RangeError} where a half of the corpus `id` has fewer, or a count is not a positive integer
 */
export function takeHeldOut<T>(
  id: string,
  heldOut: readonly T[],
  options: TaskOptions,
): Omit<Pools<T>, "train"> {
  const half = heldOut.length / 2;
  return {
    validation: firstExamples(
      `validation examples of "${id}"`,
      heldOut.slice(0, half),
      options.validationExamples,
    ),
    test: firstExamples(`test examples of "${id}"`, heldOut.slice(half), options.testExamples),
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
