/**
 * @file Judges paired differences while pairs keep coming: at planned looks only, so that looking often finds no more than
 * looking once would. docs/settle.md derives the rule and its bounds.
 */
import { normalProbability } from "../../numerics/distributions.ts";
import { BOUNDS } from "./bounds.ts";
import { FEWEST_PAIRS, LOOKS } from "./looks.ts";
import { type Interval, mean, sampleDeviation } from "./statistics.ts";
import type { Verdict } from "./verdicts.ts";

/** One pair: both methods with one seed, on the same examples. */
export interface Pair {
  /** How much more the first scores. */
  readonly difference: number;
  /** How many examples that is the mean of; 0 where it is no mean, such as a loss. */
  readonly examples: number;
  /** Σ over the examples of (their difference − the pair's)². */
  readonly squares: number;
  /** True where both came to the same in every number that was recorded of them. */
  readonly identical: boolean;
}

/** What pairs of a method and another say. */
export interface Settled {
  readonly verdict: Verdict;
  /** Pairs that it is told from: those until it was decided, or until the last look; before the first, all. */
  readonly pairs: number;
  /** Mean difference over these pairs. NaN without any. */
  readonly difference: number;
  /** Standard deviation of a pair's difference, at least what its examples make of it; null for fewer than 2 pairs. */
  readonly deviation: number | null;
  /** Holds the true difference, at every look, in 95 % of questions; null before the first look. */
  readonly interval: Interval | null;
}

/** What a question asks of its pairs. */
export interface Criterion {
  /** The largest difference that counts as none, above 0. */
  readonly margin: number;
  /** How many comparisons share the level of 5 %, 1 to `MOST_COMPARISONS`. */
  readonly comparisons: number;
  /**
   * Looks at fewer pairs are left out, and their share of the level is not spent: what fails in one seed of seven may be in
   * none of the first pairs, and is in 97 of 100 first 23. The fewest pairs of all looks where it is absent.
   */
  readonly atLeast?: number;
}

/** So many comparisons have bounds. */
export const MOST_COMPARISONS = Math.max(...BOUNDS.keys()) / 2;

/** What |mean| √n / s is held against at each look. */
export interface Bounds {
  /** Above it one is better: 5 % over the comparisons, in both directions. */
  readonly differ: readonly number[];
  /** For the same within the margin: 5 % over the comparisons, in the one direction that counts. */
  readonly same: readonly number[];
}

/**
 * The bounds of one of so many comparisons; those of the next larger number that is in the table.
 *
 * @throws {RangeError} outside 1 to `MOST_COMPARISONS`
 */
export function boundsFor(comparisons: number): Bounds {
  if (!Number.isInteger(comparisons) || comparisons < 1 || comparisons > MOST_COMPARISONS) {
    throw new RangeError(
      `Cannot judge ${comparisons} comparisons together: a whole number from 1 to ${MOST_COMPARISONS} is needed`,
    );
  }
  const at = (parts: number) => BOUNDS.get(Math.min(...[...BOUNDS.keys()].filter((one) => one >= parts)))!;
  return { differ: at(2 * comparisons), same: at(comparisons) };
}

/**
 * Judges pairs in the order in which they were planned: at the looks only, and the first look that decides is the last. More
 * pairs never change what was decided.
 */
export function judgePairs(
  pairs: readonly Pair[],
  { margin, comparisons, atLeast = FEWEST_PAIRS }: Criterion,
): Settled {
  const bounds = boundsFor(comparisons);
  let last = summarise(pairs);
  for (const [look, n] of LOOKS.entries()) {
    if (n < atLeast) continue;
    if (n > pairs.length) break;
    const some = pairs.slice(0, n), found = summarise(some);
    const error = found.deviation! / Math.sqrt(n), reach = bounds.differ[look]! * error;
    const { difference } = found;
    last = {
      ...found,
      verdict: some.every(({ identical }) => identical)
        ? "identical"
        : Math.abs(difference) > reach
        ? difference > 0 ? "better" : "worse"
        : Math.abs(difference) + bounds.same[look]! * error < margin
        ? "same"
        : "undecided",
      interval: { low: difference - reach, high: difference + reach },
    };
    if (last.verdict !== "undecided") break;
  }
  return last;
}

function summarise(pairs: readonly Pair[]): Settled {
  const differences = pairs.map(({ difference }) => difference);
  return {
    verdict: "undecided",
    pairs: pairs.length,
    difference: mean(differences),
    deviation: pairs.length < 2 ? null : Math.max(sampleDeviation(differences), deviationOfExamples(pairs)),
    interval: null,
  };
}

/**
 * What other examples alone would make a pair's difference vary by. Scores go in steps: a few pairs may differ by the same
 * number of them, and look as if none could differ otherwise. Two more examples, of which each method wins one, keep few
 * that agree from looking certain (Bonett and Price, Journal of Educational and Behavioral Statistics 37, 2012).
 */
function deviationOfExamples(pairs: readonly Pair[]): number {
  const examples = pairs.reduce((sum, pair) => sum + pair.examples, 0);
  if (examples === 0) return 0;
  const squares = pairs.reduce((sum, pair) => sum + pair.squares, 0);
  const variance = (squares + 2) / (examples - pairs.length + 2);
  return Math.sqrt(variance * pairs.length / examples);
}

/** The pair of two runs' scores, example by example, and of other numbers that must agree where both are identical. */
export function pairOf(
  [ours, theirs]: readonly [readonly number[], readonly number[]],
  others: readonly (readonly [number | null, number | null])[] = [],
): Pair {
  const differences = ours.map((score, e) => score - theirs[e]!), difference = mean(differences);
  return {
    difference,
    examples: differences.length,
    squares: differences.reduce((sum, one) => sum + (one - difference) ** 2, 0),
    identical: differences.every((one) => one === 0) && others.every(([a, b]) => a === b),
  };
}

/** The next planned number of pairs after so many, and not before `atLeast`; null after the last. */
export function nextLook(pairs: number, atLeast = FEWEST_PAIRS): number | null {
  return LOOKS.find((n) => n > pairs && n >= atLeast) ?? null;
}

/**
 * About how many pairs more decide it: as many as make that as likely as not, if the true difference lies where these
 * pairs say, as surely as they say. 0 where it is decided; null where no planned look is enough, and for fewer than 2
 * pairs.
 */
export function pairsToGo(
  { verdict, pairs, difference, deviation }: Settled,
  criterion: Criterion,
): number | null {
  if (verdict !== "undecided") return 0;
  if (deviation === null) return null;
  // The mean of these and of m more: between the mean of these and the true one, which is as far off as these tell.
  const spread = (n: number) => deviation * Math.sqrt(1 / pairs - 1 / n);
  const look = looksOf(criterion).find((n) =>
    n > pairs && chanceToDecide(difference, spread(n), deviation, n, criterion) >= 0.5
  );
  return look === undefined ? null : look - pairs;
}

/**
 * The planned number of pairs that decides in about four of five questions where the true difference is so large and a
 * pair's difference varies so much; null where no planned look is enough.
 */
export function pairsToDecide(difference: number, deviation: number, criterion: Criterion): number | null {
  return looksOf(criterion).find((n) =>
    chanceToDecide(difference, deviation / Math.sqrt(n), deviation, n, criterion) >= 0.8
  ) ?? null;
}

/** The numbers of pairs at which a question is judged. */
export function looksOf({ atLeast = FEWEST_PAIRS }: Pick<Criterion, "atLeast">): readonly number[] {
  return LOOKS.filter((n) => n >= atLeast);
}

/** The probability that the look at n pairs decides, whose mean is normal around a center. */
function chanceToDecide(
  center: number,
  spread: number,
  deviation: number,
  n: number,
  { margin, comparisons }: Criterion,
): number {
  const look = LOOKS.findIndex((one) => one === n), bounds = boundsFor(comparisons);
  const error = deviation / Math.sqrt(n);
  const within = Math.max(0, margin - bounds.same[look]! * error), beyond = bounds.differ[look]! * error;
  if (within >= beyond) return 1;
  if (spread === 0) return Math.abs(center) < within || Math.abs(center) > beyond ? 1 : 0;
  const below = (value: number) => normalProbability((value - center) / spread);
  return 1 - (below(beyond) - below(within)) - (below(-within) - below(-beyond));
}
