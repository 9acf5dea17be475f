/** @file What the numbers of a few seeds and a few hundred examples support, and no more. Every answer carries its n. */
import { studentQuantile } from "../../numerics/distributions.ts";
import type { Random } from "../../numerics/random.ts";

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

/**
 * A verdict about new seeds is given from so many on. With fewer their spread is hardly known: two seeds that happen to
 * differ by the same look as if none would differ by anything else.
 */
export const FEWEST_SEEDS = 4;

/**
 * How one method compares with another: "tie" where no difference was shown, which is not the same as none, and
 * "undecided" where there was too little to judge by.
 */
export type Verdict = "better" | "worse" | "tie" | "undecided";

/** Whether a difference was shown. */
export interface Judgement {
  /**
   * The probability of such a difference or a larger one where there is none: 1 less the highest level whose interval
   * leaves out 0. At least 1e-12. Null where nothing is judged.
   */
  readonly pValue: number | null;
  /** `pValue` corrected for the family of comparisons that this is one of, see `correct`. */
  readonly corrected: number | null;
  /** Of `corrected`. */
  readonly verdict: Verdict;
}

/** Mean difference of two methods on the same examples and seeds, and whether it was shown for new ones of `sources`. */
export interface Comparison extends Estimate, Judgement {
  /** Seeds on which ours scores higher. Equal scores count for neither. */
  readonly wins: number;
  /**
   * The least true difference that would be shown in about four of five repetitions with as many seeds and examples that
   * vary as much: the reach of the interval at the level that the verdict asks for in its family, and of the one at 60%.
   * A larger difference is no tie. Null where nothing is judged.
   */
  readonly detectable: number | null;
  /** Where the error of the mean difference comes from. Null where nothing tells, see `errorSources`. */
  readonly errors: ErrorSources | null;
  /** How far the interval that the verdict is by reaches from the mean at a level. Null where nothing is judged. */
  readonly reach: ((level: number) => number) | null;
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

/** Sets of the indices of as many examples as there are, drawn with replacement; none for fewer than two examples. */
export function drawSets(examples: number, random: Random, count = 1000): Uint32Array[] {
  if (examples < 2) return [];
  return Array.from({ length: count }, (_, i) => random.fork(`resample ${i}`).integers(examples, examples));
}

/**
 * Percentile bootstrap interval of a value of a set of examples that is no mean of theirs, such as a correlation.
 * `valueOf` gets each of the sets that `drawSets` drew. Null without sets, and where one has no finite value.
 */
export function bootstrapSets(
  sets: readonly Uint32Array[],
  valueOf: (drawn: Uint32Array) => number,
  level = 0.95,
): Interval | null {
  const values = sets.map(valueOf).sort((a, b) => a - b);
  if (values.length === 0 || !values.every(Number.isFinite)) return null;
  const tail = (1 - level) / 2, { length } = values;
  return {
    low: values[Math.floor(tail * length)]!,
    high: values[Math.min(length - 1, Math.ceil((1 - tail) * length) - 1)]!,
  };
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
  const cut = (interval: Interval | null) =>
    interval && { low: Math.max(0, interval.low), high: Math.min(1, interval.high) };
  return {
    ...found,
    interval: cut(found.interval),
    overSeeds: cut(found.overSeeds),
    overExamples: cut(found.overExamples),
  };
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
  level = 0.95,
): Comparison {
  const differences = differencesOf(ours, theirs), errors = errorSources(differences);
  const seedsAt = studentAt(
    differences.map(mean),
    errors === null ? 0 : errors.both ** 2 * differences.length,
  );
  const { estimate, at } = describe(differences, seedsAt, examplesOf(ours, theirs, differences), level);
  return {
    ...estimate,
    ...judge(estimate.mean, ours.length < FEWEST_SEEDS ? null : at, level),
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
  level = 0.95,
): Comparison {
  const differences = differencesOf(ours, theirs), examplesAt = examplesOf(ours, theirs, differences);
  const { estimate } = describe(differences, studentAt(differences.map(mean)), examplesAt, level);
  return {
    ...estimate,
    interval: estimate.overExamples,
    sources: examplesAt ? ["examples"] : [],
    ...judge(estimate.mean, examplesAt, level),
    wins: winsOf(differences),
    errors: errorSources(differences),
  };
}

/**
 * Corrects the p values of a family of comparisons for their number, and judges by them: where there is no difference
 * anywhere, the whole family is all ties in at least `level` of all repetitions, however its comparisons depend on each
 * other. Comparisons that nothing could tell stay undecided and don't count.
 * Source: Holm, Scandinavian Journal of Statistics 6 (1979).
 */
export function correct<C extends Comparison>(family: readonly C[], level = 0.95): C[] {
  const corrected = holm(family.map(({ pValue }) => pValue));
  const verdicts = family.map(({ mean }, i) => verdictOf(mean, corrected[i]!, level));
  const known = corrected.filter((one) => one !== null).length, shown = verdicts.filter(isShown).length;
  return family.map((one, i) => {
    // Beside others that were shown, one more has to pass the level of those that are left.
    const left = known - shown + (isShown(verdicts[i]!) ? 1 : 0);
    return {
      ...one,
      corrected: corrected[i]!,
      verdict: verdicts[i]!,
      detectable: detectableBy(one.reach, 1 - (1 - level) / left),
    };
  });
}

/** True of the verdicts that a difference was shown by. */
export function isShown(verdict: Verdict): boolean {
  return verdict === "better" || verdict === "worse";
}

function holm(pValues: readonly (number | null)[]): (number | null)[] {
  const corrected: (number | null)[] = pValues.map(() => null);
  const known = pValues.flatMap((pValue, i) => pValue === null ? [] : [{ pValue, i }]);
  let most = 0;
  for (const [place, { pValue, i }] of known.toSorted((a, b) => a.pValue - b.pValue).entries()) {
    most = Math.max(most, Math.min(1, pValue * (known.length - place)));
    corrected[i] = most;
  }
  return corrected;
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

function judge(
  center: number,
  at: IntervalAt | null,
  level: number,
): Judgement & Pick<Comparison, "detectable" | "reach"> {
  const pValue = at && pValueOf(at);
  const reach = at && ((level: number) => {
    const { low, high } = at(level);
    return Math.max(center - low, high - center);
  });
  return {
    pValue,
    corrected: pValue,
    verdict: verdictOf(center, pValue, level),
    detectable: detectableBy(reach, level),
    reach,
  };
}

function winsOf(differences: readonly (readonly number[])[]): number {
  return differences.filter((seed) => mean(seed) > 0).length;
}

function detectableBy(reach: Comparison["reach"], level: number): number | null {
  return reach && reach(level) + reach(0.6);
}

function examplesOf(
  ours: readonly (readonly number[])[],
  theirs: readonly (readonly number[])[],
  differences: readonly (readonly number[])[],
): IntervalAt | null {
  const byExample = meanByExample(differences);
  return isBinary(ours) && isBinary(theirs) ? pairedAt(byExample) : studentAt(byExample);
}

/** An interval at each level: what p values are found from. */
type IntervalAt = (level: number) => Interval;

/** Smallest p value that is told: a level can't be told from 1 much further. */
const LEAST_P = 1e-12;

function describe(
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

/** @param least what the variance of single values is at least */
function studentAt(values: readonly number[], least = 0): IntervalAt | null {
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

/** Of examples' mean differences over seeds, of scores that are all 0 or 1. */
function pairedAt(byExample: readonly number[]): IntervalAt | null {
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

function pValueOf(at: IntervalAt): number {
  const leavesOut = (p: number) => {
    const { low, high } = at(1 - p);
    return low > 0 || high < 0;
  };
  // The bounds are logarithms: small p values matter by their ratio.
  let low = Math.log(LEAST_P), high = 0;
  if (!leavesOut(1)) return 1;
  if (leavesOut(LEAST_P)) return LEAST_P;
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2;
    if (leavesOut(Math.exp(middle))) high = middle;
    else low = middle;
  }
  return Math.exp(high);
}

function verdictOf(mean: number, pValue: number | null, level: number): Verdict {
  if (pValue === null) return "undecided";
  if (pValue > 1 - level) return "tie";
  return mean > 0 ? "better" : "worse";
}

/** True where every score is 0 or 1. */
export function isBinary(scores: readonly (readonly number[])[]): boolean {
  return scores.every((seed) => seed.every((score) => score === 0 || score === 1));
}
