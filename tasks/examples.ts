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

/** How many examples are held out. */
export interface HeldOutSizes {
  /** Of the first. */
  readonly test: number;
  /** Of those behind them. */
  readonly validation: number;
}

/** The first examples as those to test on, the next as those to validate with, and all others to train on. */
export function cutPools<T>(examples: readonly T[], { test, validation }: HeldOutSizes): Pools<T> {
  return {
    test: examples.slice(0, test),
    validation: examples.slice(test, test + validation),
    train: examples.slice(test + validation),
  };
}

/** Sizes of pools that are cut of one draw: of its first examples those to test on, then to validate with, then to train on. */
export interface DrawnSizes extends HeldOutSizes {
  /** Of those behind these. */
  readonly train: number;
  /** Of the last, to test on too: a pool to test on can grow so, and changes no other. */
  readonly moreTest: number;
}

/**
 * Takes examples, as `takeExamples()` does, out of pools that are cut of one draw, which is made as far as it is asked for.
 *
 * @param draw makes distinct examples without end, in the same order each time; it is called once
 */
export function takeDrawn<T>(
  id: string,
  sizes: DrawnSizes,
  draw: () => Iterator<T, never>,
): (options: TaskOptions) => Pools<T> {
  const { test, validation, train, moreTest } = sizes, trainStart = test + validation;
  const drawn: T[] = [];
  let more: Iterator<T, never> | undefined;
  const upTo = (count: number) => {
    more ??= draw();
    while (drawn.length < count) drawn.push(more.next().value);
    return drawn;
  };
  return (options) => {
    const { trainExamples, testExamples, testSlice = 0 } = options;
    const reachesLast = (testSlice + 1) * testExamples > test;
    const all = upTo(trainStart + (reachesLast ? train + moreTest : Math.min(trainExamples, train)));
    const pools = {
      test: [...all.slice(0, test), ...all.slice(trainStart + train, trainStart + train + moreTest)],
      validation: all.slice(test, trainStart),
      train: all.slice(trainStart, trainStart + train),
    };
    return { ...takeExamples(id, pools, options), testPool: test + moreTest };
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
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`Cannot take ${count} ${name}: a whole number from 1 is needed`);
  }
  if (count > pool.length) throw new RangeError(`Cannot take ${count} ${name}: there are ${pool.length}`);
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
