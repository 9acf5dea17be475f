/** @file What the numbers of a few seeds and a few hundred examples support, and no more. Every answer carries its n. */
import { studentQuantile } from "../../numerics/distributions.ts";

/** A range that should hold the true value in `level` of all repetitions. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** What varies between repetitions of an experiment. */
export type Source = "seeds" | "examples";

/** A mean with what is known about it. */
export interface Estimate {
  readonly mean: number;
  /** For new seeds and new examples, see `estimate`. Null where nothing varies that could tell. */
  readonly interval: Interval | null;
  /** What `interval` speaks about: with one seed, about new examples alone. */
  readonly sources: readonly Source[];
  /** For new seeds on the same examples: Student's t. Null with one seed. */
  readonly overSeeds: Interval | null;
  /** For new examples and the same seeds. Null with one example. */
  readonly overExamples: Interval | null;
  readonly seeds: number;
  /** Of each seed; 0 where seeds differ in them, so that none are the same. */
  readonly examples: number;
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

/** The median of what was measured; null where nothing was. */
export function medianOfMeasured(values: readonly (number | null)[]): number | null {
  const measured = values.filter((value) => value !== null);
  return measured.length === 0 ? null : median(measured);
}

/** Standard deviation with n - 1 below the line. NaN for fewer than two values. */
export function sampleDeviation(values: readonly number[]): number {
  const center = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1));
}

/** Student's t interval of a mean over independent values. Null for fewer than two. */
export function studentInterval(values: readonly number[], level = 0.95): Interval | null {
  return studentAt(values)?.(level) ?? null;
}

/**
 * Wilson's score interval of a share of `count` independent examples: it stays within 0 and 1 and has a width where all
 * or none are right. Null for fewer than two.
 * Source: Wilson, JASA 22 (1927); recommended by Newcombe, Statistics in Medicine 17 (1998), 857-872.
 */
export function wilsonInterval(share: number, count: number, level = 0.95): Interval | null {
  if (count < 2) return null;
  const z = studentQuantile((1 + level) / 2, Infinity), square = z ** 2 / count;
  const center = (share + square / 2) / (1 + square);
  const half = z / (1 + square) * Math.sqrt(share * (1 - share) / count + square / (4 * count));
  return { low: Math.max(0, center - half), high: Math.min(1, center + half) };
}

/**
 * Mean score over seeds and examples with its intervals. `scores[s][e]` is seed s on example e, from 0 to 1.
 *
 * Over examples it is Wilson's interval where every score is 0 or 1, of as many independent examples as would vary as
 * much as the examples' means over seeds do (the effective sample size of Korn and Graubard, Survey Methodology 24, 1998);
 * Student's t over the examples' means where there are grades between. `interval` is about both sources: the squares of
 * the distances from the mean to the two intervals' ends add up. For means this is Banerjee's interval (Annals of the
 * Institute of Statistical Mathematics 12, 1960), which holds the true value at least as often as it says, with two seeds
 * too; for others the same rule is the method of variance estimates recovery (Zou and Donner, Statistics in Medicine 27,
 * 2008). What single seeds make of single examples is in both parts, which errs on the wide side. With one seed it can only
 * speak about examples. Ends are cut at 0 and 1.
 */
export function estimate(scores: readonly (readonly number[])[], level = 0.95): Estimate {
  const byExample = meanByExample(scores);
  const overExamples = isBinary(scores) ? wilsonAt(byExample, scores.length) : studentAt(byExample);
  const found = describe(scores, studentAt(scores.map(mean)), overExamples, level).estimate;
  return {
    ...found,
    interval: cutAtEnds(found.interval),
    overSeeds: cutAtEnds(found.overSeeds),
    overExamples: cutAtEnds(found.overExamples),
  };
}

/** An interval of a score, cut at 0 and 1, beyond which no score lies. */
export function cutAtEnds(interval: Interval | null): Interval | null {
  return interval && { low: Math.max(0, interval.low), high: Math.min(1, interval.high) };
}

/** The standard error of a mean over seeds and examples, by where it comes from. */
export interface ErrorSources {
  /** What other seeds would change, on whichever examples: σ_a / √S. */
  readonly seeds: number;
  /** What another test set of the same size would change, for whichever seeds: σ_b / √E. */
  readonly examples: number;
  /** What single seeds make of single examples, beyond both: σ_c / √(S E). */
  readonly both: number;
  /** Root of the sum of their squares. */
  readonly total: number;
  /** Standard deviation of one run's score over seeds on these examples: √(σ_a² + σ_c² / E), the spread over seeds. */
  readonly spread: number;
}

/**
 * Tells the sources of error of a mean score apart. `scores[s][e]` = μ + a_s + b_e + c_se, where the effects of the S
 * seeds, of the E examples and of both together are drawn independently with variances σ_a², σ_b² and σ_c². The
 * variances are estimated by analysis of variance: mean squares are set equal to what is expected of them, E σ_a² + σ_c²
 * of seeds, S σ_b² + σ_c² of examples and σ_c² of the rest, and what comes out below 0 is 0. Unbiased but for that.
 * Source: Searle, Casella and McCulloch, Variance Components (1992), section 4.5, the two-way crossed classification
 * with one observation a cell; why both belong to a benchmark's error: Bouthillier et al., arXiv 2103.03098, and Miller,
 * arXiv 2411.00640.
 *
 * Null with one seed or one example, and where seeds differ in their number of examples: nothing tells the sources apart.
 */
export function errorSources(scores: readonly (readonly number[])[]): ErrorSources | null {
  const byExample = meanByExample(scores), seeds = scores.length, examples = byExample.length;
  const rest = meanSquareOfRest(scores);
  if (rest === null) return null;
  const squares = (values: readonly number[]) => sampleDeviation(values) ** 2;
  const meanSquare = { seeds: examples * squares(scores.map(mean)), examples: seeds * squares(byExample) };
  const variance = {
    seeds: Math.max(0, meanSquare.seeds - rest) / examples,
    examples: Math.max(0, meanSquare.examples - rest) / seeds,
  };
  const parts = [variance.seeds / seeds, variance.examples / examples, rest / (seeds * examples)] as const;
  return {
    seeds: Math.sqrt(parts[0]),
    examples: Math.sqrt(parts[1]),
    both: Math.sqrt(parts[2]),
    total: Math.sqrt(parts[0] + parts[1] + parts[2]),
    spread: Math.sqrt(meanSquare.seeds / examples),
  };
}

/** σ_c² of `errorSources`. Null with one seed or one example, and where seeds differ in their number of examples. */
export function meanSquareOfRest(scores: readonly (readonly number[])[]): number | null {
  const byExample = meanByExample(scores), seeds = scores.length, examples = byExample.length;
  if (seeds < 2 || examples < 2) return null;
  const bySeed = scores.map(mean), center = mean(bySeed);
  const squares = scores.reduce(
    (sum, seed, s) =>
      sum + seed.reduce((own, score, e) => own + (score - bySeed[s]! - byExample[e]! + center) ** 2, 0),
    0,
  );
  return squares / ((seeds - 1) * (examples - 1));
}

/** Each example's mean over seeds, from `scores[seed][example]`; none where seeds differ in their number of examples. */
export function meanByExample(scores: readonly (readonly number[])[]): number[] {
  const examples = scores[0]?.length ?? 0;
  if (scores.some((seed) => seed.length !== examples)) return [];
  return Array.from(
    { length: examples },
    (_, e) => scores.reduce((sum, seed) => sum + seed[e]!, 0) / scores.length,
  );
}

/**
 * Scores of the first less those of the second.
 *
 * @throws {RangeError} where the two differ in seeds or examples
 */
export function differencesOf(
  ours: readonly (readonly number[])[],
  theirs: readonly (readonly number[])[],
): number[][] {
  if (ours.length !== theirs.length || ours.some((seed, s) => seed.length !== theirs[s]!.length)) {
    throw new RangeError("Cannot pair two methods: they differ in seeds or examples");
  }
  return ours.map((seed, s) => seed.map((score, e) => score - theirs[s]![e]!));
}

/** An interval at each level: what p values are found from. */
export type IntervalAt = (level: number) => Interval;

/** What seeds and examples together say of a mean; `at` is null where neither varies. */
export function describe(
  values: readonly (readonly number[])[],
  seedsAt: IntervalAt | null,
  examplesAt: IntervalAt | null,
  level: number,
): { readonly estimate: Estimate; readonly at: IntervalAt | null } {
  const center = mean(values.map(mean));
  const parts = [["seeds", seedsAt], ["examples", examplesAt]] as const;
  const known = parts.flatMap(([, at]) => at ?? []);
  const at = known.length < 2 ? known[0] ?? null : squaresAdded(center, known);
  return {
    estimate: {
      mean: center,
      interval: at?.(level) ?? null,
      sources: parts.flatMap(([source, at]) => at ? [source] : []),
      overSeeds: seedsAt?.(level) ?? null,
      overExamples: examplesAt?.(level) ?? null,
      seeds: values.length,
      examples: meanByExample(values).length,
    },
    at,
  };
}

function squaresAdded(center: number, parts: readonly IntervalAt[]): IntervalAt {
  return (level) => {
    const found = parts.map((at) => at(level));
    // Wilson's and Bonett and Price's intervals have centers of their own: at low levels the mean may lie outside.
    const reach = (to: (interval: Interval) => number) =>
      Math.hypot(...found.map((interval) => Math.max(0, to(interval))));
    return {
      low: center - reach(({ low }) => center - low),
      high: center + reach(({ high }) => high - center),
    };
  };
}

/**
 * Student's t interval of a mean over independent values, at each level. Null for fewer than two.
 *
 * @param least what the variance of single values is at least
 */
export function studentAt(values: readonly number[], least = 0): IntervalAt | null {
  if (values.length < 2) return null;
  const variance = Math.max(least, sampleDeviation(values) ** 2);
  return around(mean(values), Math.sqrt(variance / values.length), values.length - 1);
}

/** Of examples' means over seeds, of scores that are all 0 or 1. */
function wilsonAt(byExample: readonly number[], seeds: number): IntervalAt | null {
  const examples = byExample.length, share = mean(byExample);
  if (examples < 2) return null;
  const variance = byExample.reduce((sum, value) => sum + (value - share) ** 2, 0) / examples;
  const everyOne = share === 0 || share === 1;
  const effective = everyOne ? 1 : variance === 0 ? seeds : Math.min(seeds, share * (1 - share) / variance);
  return (level) => wilsonInterval(share, examples * effective, level)!;
}

/** Bonett and Price's interval of examples' mean differences over seeds, of scores that are all 0 or 1; see `compare`. */
export function pairedAt(byExample: readonly number[]): IntervalAt | null {
  if (byExample.length < 2) return null;
  const more = [...byExample, 1, -1], center = mean(more);
  const variance = more.reduce((sum, value) => sum + (value - center) ** 2, 0) / more.length;
  return around(center, Math.sqrt(variance / more.length), Infinity);
}

function around(center: number, error: number, freedom: number): IntervalAt {
  return (level) => {
    const half = studentQuantile((1 + level) / 2, freedom) * error;
    return { low: center - half, high: center + half };
  };
}

/** True where every score is 0 or 1. */
export function isBinary(scores: readonly (readonly number[])[]): boolean {
  return scores.every((seed) => seed.every((score) => score === 0 || score === 1));
}
