/** @file What the numbers of a few seeds and a few hundred examples support, and no more. Every answer carries its n. */
import type { Random } from "../numerics/random.ts";

/** A range that should hold the true value in `level` of all repetitions. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A mean with what is known about it. */
export interface Estimate {
  readonly mean: number;
  /** For new seeds and new examples, see `estimate`. Null where nothing varies that could tell. */
  readonly interval: Interval | null;
  /** For new seeds on the same examples: Student's t. Null with one seed. */
  readonly overSeeds: Interval | null;
  readonly seeds: number;
  readonly examples: number;
}

/** How one method compares with another: "tie" where the interval of the difference includes 0. */
export type Verdict = "better" | "worse" | "tie";

/** Mean difference of two methods on the same examples and seeds. */
export interface Comparison extends Estimate {
  readonly verdict: Verdict;
}

/** Sum over n. NaN for nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Middle value, or the mean of the two middle ones. NaN for nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(half)]! : mean(sorted.slice(half - 1, half + 1));
}

/** Standard deviation with n - 1 below the line. NaN for fewer than two values. */
export function sampleDeviation(values: readonly number[]): number {
  const center = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1));
}

/** Student's t interval of a mean over independent values. Null for fewer than two. */
export function studentInterval(values: readonly number[], level = 0.95): Interval | null {
  if (values.length < 2) return null;
  const half = studentQuantile((1 + level) / 2, values.length - 1) * sampleDeviation(values) /
    Math.sqrt(values.length);
  return { low: mean(values) - half, high: mean(values) + half };
}

/** Percentile bootstrap interval of a mean over independent values. Null for fewer than two. */
export function bootstrapInterval(
  values: readonly number[],
  random: Random,
  options: { readonly level?: number; readonly resamples?: number } = {},
): Interval | null {
  const meanOf = (drawn: Uint32Array) => drawn.reduce((sum, i) => sum + values[i]!, 0) / values.length;
  return bootstrapSets(values.length, meanOf, random, options);
}

/**
 * Percentile bootstrap interval of a value of a set of examples, such as a correlation. `valueOf` gets the indices of as
 * many examples as there are, drawn with replacement. Null for fewer than two, and where a drawn set has no finite value.
 */
export function bootstrapSets(
  examples: number,
  valueOf: (drawn: Uint32Array) => number,
  random: Random,
  options: { readonly level?: number; readonly resamples?: number } = {},
): Interval | null {
  if (examples < 2) return null;
  const { level = 0.95, resamples = 1000 } = options;
  const means = Array.from(
    { length: resamples },
    (_, i) => valueOf(random.fork(`resample ${i}`).integers(examples, examples)),
  ).sort((a, b) => a - b);
  if (!means.every(Number.isFinite)) return null;
  const tail = (1 - level) / 2;
  return {
    low: means[Math.floor(tail * resamples)]!,
    high: means[Math.min(resamples - 1, Math.ceil((1 - tail) * resamples) - 1)]!,
  };
}

/**
 * Mean over seeds and examples with its intervals.
 *
 * `scores[s][e]` is seed s on example e. `interval` adds both sources of variance: the squared standard error of the
 * seeds' means and that of the examples' means. Its degrees of freedom are Welch and Satterthwaite's, rounded down; the
 * share of single (seed, example) noise is in both terms, which errs on the wide side. With one seed it can only speak
 * about examples. In simulations with 200 examples a 95% interval held the true value in 92 to 98 of 100 cases; with two
 * seeds that differ far more than examples do, in 88.
 */
export function estimate(scores: readonly (readonly number[])[], level = 0.95): Estimate {
  const bySeed = scores.map(mean);
  const byExample = meanByExample(scores);
  return {
    mean: mean(bySeed),
    interval: combinedInterval(bySeed, byExample, level),
    overSeeds: studentInterval(bySeed, level),
    seeds: scores.length,
    examples: byExample.length,
  };
}

/** Each example's mean over seeds, from `scores[seed][example]`. */
export function meanByExample(scores: readonly (readonly number[])[]): number[] {
  return Array.from({ length: scores[0]?.length ?? 0 }, (_, e) => mean(scores.map((seed) => seed[e]!)));
}

/**
 * How much higher `ours` scores than `theirs`: `[seed][example]`, the same seeds and examples in the same order.
 *
 * @throws {RangeError} where the two differ in seeds or examples
 */
export function compare(
  ours: readonly (readonly number[])[],
  theirs: readonly (readonly number[])[],
  level = 0.95,
): Comparison {
  if (ours.length !== theirs.length || ours.some((seed, s) => seed.length !== theirs[s]!.length)) {
    throw new RangeError("Cannot pair two methods: they differ in seeds or examples");
  }
  const differences = ours.map((seed, s) => seed.map((score, e) => score - theirs[s]![e]!));
  const found = estimate(differences, level);
  const verdict = found.interval === null || (found.interval.low <= 0 && found.interval.high >= 0)
    ? "tie"
    : found.interval.low > 0
    ? "better"
    : "worse";
  return { ...found, verdict };
}

/** t such that Student's distribution with whole degrees of freedom has `probability` below it; from 0.5 up. */
export function studentQuantile(probability: number, freedom: number): number {
  let low = 0, high = 1;
  while (studentCentral(high, freedom) < 2 * probability - 1 && high < 1e12) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (studentCentral(middle, freedom) < 2 * probability - 1) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function combinedInterval(
  bySeed: readonly number[],
  byExample: readonly number[],
  level: number,
): Interval | null {
  const terms = [bySeed, byExample].filter((values) => values.length > 1).map((values) => ({
    variance: sampleDeviation(values) ** 2 / values.length,
    freedom: values.length - 1,
  }));
  if (terms.length === 0) return null;
  const variance = terms.reduce((sum, term) => sum + term.variance, 0);
  const center = mean(bySeed);
  if (variance === 0) return { low: center, high: center };
  const freedom = variance ** 2 / terms.reduce((sum, term) => sum + term.variance ** 2 / term.freedom, 0);
  // The closed form of the distribution wants whole numbers; beyond some hundreds it's the normal one anyway.
  const half = studentQuantile((1 + level) / 2, Math.min(1000, Math.max(1, Math.floor(freedom)))) *
    Math.sqrt(variance);
  return { low: center - half, high: center + half };
}

/** P(|T| < t). Source: Abramowitz & Stegun, 26.7.3 and 26.7.4. */
function studentCentral(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const cosine = Math.cos(angle), sine = Math.sin(angle);
  const odd = freedom % 2 === 1;
  let term = odd ? cosine : 1, sum = freedom === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k < freedom; k += 2) {
    term *= cosine ** 2 * (k - 1) / k;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}
