/** @file One method against another over many tasks: a task is one observation, however many seeds and examples it has. */
import {
  differencesOf,
  type Interval,
  mean,
  meanSquareOfRest,
  sampleDeviation,
  studentAt,
} from "./statistics.ts";
import { type Asked, judge, type Judgement } from "./verdicts.ts";

/** A verdict about new tasks is given from so many on: with fewer it is hardly known how tasks differ. */
export const FEWEST_TASKS = 4;

/** What one task says of two methods. */
export interface TaskDifference {
  /** Mean score of ours less that of theirs. */
  readonly mean: number;
  /** What the mean varies by in any case, e.g. what single seeds make of single examples; 0 where nobody knows. */
  readonly variance: number;
}

/** Mean difference over tasks, and what was shown of it for tasks like these. */
export interface PooledComparison extends Judgement {
  readonly mean: number;
  /** For new tasks, with their own seeds and examples. Null with one task. */
  readonly interval: Interval | null;
  readonly tasks: number;
  /** Tasks on which ours scores higher. Equal scores count for neither. */
  readonly wins: number;
}

/**
 * Pools tasks: Student's t over their mean differences, each with the same weight. How differences vary over tasks holds
 * what seeds and examples add, so that few seeds a task are no fault; the verdict is about the mean over tasks like these,
 * of which these are taken for a sample. The variance over tasks is never taken below the mean of what their means vary by
 * in any case: scores go in steps, and tasks that differ by the same number of them do not look certain. With fewer than
 * `FEWEST_TASKS` tasks there is no verdict.
 */
export function comparePooled(tasks: readonly TaskDifference[], asked: Asked = {}): PooledComparison {
  const differences = tasks.map((task) => task.mean), center = mean(differences);
  const at = studentAt(differences, tasks.length > 0 ? mean(tasks.map(({ variance }) => variance)) : 0);
  return {
    mean: center,
    interval: at?.(asked.level ?? 0.95) ?? null,
    tasks: tasks.length,
    wins: differences.filter((difference) => difference > 0).length,
    ...judge(center, tasks.length < FEWEST_TASKS ? null : at, asked),
  };
}

/**
 * What one task says: `[seed][example]`, the same seeds and examples in the same order. What its mean varies by in any case
 * is what single seeds make of single examples, and with one seed what its examples do.
 *
 * @throws {RangeError} where the two differ in seeds or examples
 */
export function differenceOn(
  ours: readonly (readonly number[])[],
  theirs: readonly (readonly number[])[],
): TaskDifference {
  const differences = differencesOf(ours, theirs), seeds = differences.length;
  const examples = differences[0]?.length ?? 0, rest = meanSquareOfRest(differences);
  const variance = rest !== null
    ? rest / (seeds * examples)
    : seeds === 1 && examples > 1
    ? sampleDeviation(differences[0]!) ** 2 / examples
    : 0;
  return { mean: mean(differences.map(mean)), variance };
}
