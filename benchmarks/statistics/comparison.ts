/** @file One method against another on the same seeds and examples of one task. */
import {
  describe,
  differencesOf,
  type ErrorSources,
  errorSources,
  type Estimate,
  type IntervalAt,
  isBinary,
  mean,
  meanByExample,
  pairedAt,
  studentAt,
} from "./statistics.ts";
import { type Asked, judge, type Judgement } from "./verdicts.ts";

/**
 * A verdict about new seeds is given from so many on. With fewer their spread is hardly known: two seeds that happen to
 * differ by the same look as if none would differ by anything else.
 */
export const FEWEST_SEEDS = 4;

/** Mean difference of two methods on the same examples and seeds, and what was shown of it for new ones of `sources`. */
export interface Comparison extends Estimate, Judgement {
  /** Seeds on which ours scores higher. Equal scores count for neither. */
  readonly wins: number;
  /** Where the error of the mean difference comes from. Null where nothing tells, see `errorSources`. */
  readonly errors: ErrorSources | null;
}

/**
 * How much higher `ours` scores than `theirs`: `[seed][example]`, the same seeds and examples in the same order. The
 * verdict is that of a single comparison, see `correct`, and about new seeds and examples: with fewer than `FEWEST_SEEDS`
 * seeds there is an interval, but no verdict.
 *
 * Over examples it is Bonett and Price's interval of paired shares (Journal of Educational and Behavioral Statistics 37,
 * 2012) where every score is 0 or 1: the normal one after two more examples, which either side wins, so that few examples
 * that agree don't look certain. Otherwise Student's t. Seeds and examples go together as in `estimate`, but the variance
 * over seeds is never less than what single seeds make of single examples lets it be, see `errorSources`: scores go in
 * steps, and seeds that differ by the same number of them don't look certain.
 *
 * @throws {RangeError} where the two differ in seeds or examples
 */
export function compare(
  ours: readonly (readonly number[])[],
  theirs: readonly (readonly number[])[],
  asked: Asked = {},
): Comparison {
  const differences = differencesOf(ours, theirs), errors = errorSources(differences);
  const seedsAt = studentAt(
    differences.map(mean),
    errors === null ? 0 : errors.both ** 2 * differences.length,
  );
  const { estimate, at } = describe(
    differences,
    seedsAt,
    examplesOf(ours, theirs, differences),
    asked.level ?? 0.95,
  );
  return {
    ...estimate,
    ...judge(estimate.mean, ours.length < FEWEST_SEEDS ? null : at, asked),
    wins: winsOf(differences),
    errors,
  };
}

/**
 * How much higher `ours` scores than `theirs` where both are the same runs made twice, so that no other seeds are asked
 * about: as `compare`, but interval and verdict are about new examples and the seeds that were run, however few.
 *
 * @throws {RangeError} where the two differ in seeds or examples
 */
export function compareReruns(
  ours: readonly (readonly number[])[],
  theirs: readonly (readonly number[])[],
  asked: Asked = {},
): Comparison {
  const differences = differencesOf(ours, theirs), examplesAt = examplesOf(ours, theirs, differences);
  const { estimate } = describe(
    differences,
    studentAt(differences.map(mean)),
    examplesAt,
    asked.level ?? 0.95,
  );
  return {
    ...estimate,
    interval: estimate.overExamples,
    sources: examplesAt ? ["examples"] : [],
    ...judge(estimate.mean, examplesAt, asked),
    wins: winsOf(differences),
    errors: errorSources(differences),
  };
}

function winsOf(differences: readonly (readonly number[])[]): number {
  return differences.filter((seed) => mean(seed) > 0).length;
}

function examplesOf(
  ours: readonly (readonly number[])[],
  theirs: readonly (readonly number[])[],
  differences: readonly (readonly number[])[],
): IntervalAt | null {
  const byExample = meanByExample(differences);
  return isBinary(ours) && isBinary(theirs) ? pairedAt(byExample) : studentAt(byExample);
}
