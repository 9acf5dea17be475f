/** @file Which share of the gap between two methods a third one closes. */
import { studentQuantile } from "../../numerics/distributions.ts";
import {
  differencesOf,
  type Interval,
  isBinary,
  mean,
  meanByExample,
  meanSquareOfRest,
} from "./statistics.ts";

/** A share of a gap: (ours - from) / (to - from), with what is known about it. */
export interface GapShare {
  /** Mean of `to` less that of `from`. */
  readonly gap: number;
  /** 0 where the method is where the gap begins, 1 where it ends. Null where its interval is unbounded. */
  readonly share: number | null;
  /** For new seeds and new examples, as far as they vary. Null where the share is. */
  readonly interval: Interval | null;
  readonly seeds: number;
  readonly examples: number;
}

/**
 * The share of the gap from one method to another that a third one closes: `[seed][example]`, the same seeds and examples
 * in the same order.
 *
 * The interval is Fieller's: the shares ρ at which (ours - from) - ρ (to - from) does not differ from 0, by Student's t
 * over seeds and over examples, whose squared quantiles times variances add up as in `estimate`, that over seeds no less
 * than what single seeds make of single examples lets it be. It covers as its test does, however small the gap is; where 0
 * is no unlikely gap it is unbounded, and there is no share. Where every score is
 * 0 or 1, each of the six ways in which three methods can differ on an example counts half an example more, which for any
 * two of them is Bonett and Price's adjustment, see `compare`, and leaves the share as it is.
 * Source: Fieller, Journal of the Royal Statistical Society B 16 (1954); Franz, arXiv 0710.2024.
 *
 * @throws {RangeError} where the three differ in seeds or examples
 */
export function shareOfGap(
  ours: readonly (readonly number[])[],
  from: readonly (readonly number[])[],
  to: readonly (readonly number[])[],
  level = 0.95,
): GapShare {
  const closed = differencesOf(ours, from), whole = differencesOf(to, from);
  const gap = mean(whole.map(mean)), gained = mean(closed.map(mean));
  const added = [ours, from, to].every(isBinary) ? ADDED : NOTHING;
  const sources = [
    {
      values: [closed, whole].map((one) => one.map(mean)),
      added: NOTHING,
      least: leastOverSeeds(closed, whole),
    },
    { values: [closed, whole].map(meanByExample), added, least: NONE },
  ].filter(({ values }) => values[0]!.length > 1);
  const terms = sources.map(({ values, added, least }) => varianceOfMeans(values, added, least, level));
  const sum = (read: (term: Terms) => number) => terms.reduce((total, term) => total + read(term), 0);
  // a ρ² - 2 b ρ + c is at most 0 within the interval.
  const shrunk = terms.reduce((least, term) => Math.min(least, term.shrunk), 1) ** 2;
  const a = shrunk * gap ** 2 - sum(({ whole }) => whole);
  const b = shrunk * gained * gap - sum(({ both }) => both);
  const c = shrunk * gained ** 2 - sum(({ closed }) => closed);
  const counts = { gap, seeds: closed.length, examples: closed[0]?.length ?? 0 } as const;
  if (terms.length === 0 || !(a > 0)) return { ...counts, share: null, interval: null };
  // The share itself is in the interval, so the root is real but for rounding.
  const root = Math.sqrt(Math.max(0, b ** 2 - a * c));
  return { ...counts, share: gained / gap, interval: { low: (b - root) / a, high: (b + root) / a } };
}

/** What is counted beside the examples: how many more, and their squares and products. Their sums are 0. */
interface Added {
  readonly examples: number;
  readonly squares: number;
  readonly products: number;
}

const NOTHING: Added = { examples: 0, squares: 0, products: 0 };
const ADDED: Added = { examples: 3, squares: 2, products: 1 };

/** Variances of two values and their covariance. */
interface Covariances {
  readonly closed: number;
  readonly whole: number;
  readonly both: number;
}

const NONE: Covariances = { closed: 0, whole: 0, both: 0 };

/** Squared quantiles times variances and the covariance of two means, and what they were shrunk by. */
interface Terms extends Covariances {
  readonly shrunk: number;
}

/** What seeds' means vary by in any case, see `meanSquareOfRest`: the part of single seeds on single examples. */
function leastOverSeeds(closed: readonly number[][], whole: readonly number[][]): Covariances {
  const examples = closed[0]?.length ?? 0;
  const sums = closed.map((seed, s) => seed.map((value, e) => value + whole[s]![e]!));
  const [one, other, both] = [closed, whole, sums].map(meanSquareOfRest);
  if (one == null || other == null || both == null) return NONE;
  return { closed: one / examples, whole: other / examples, both: (both - one - other) / 2 / examples };
}

/** The least covariances that are at least both, for whichever combination of the two values: what is above is added. */
function atLeast(found: Covariances, least: Covariances): Covariances {
  const p = found.closed - least.closed, r = found.whole - least.whole, q = found.both - least.both;
  const middle = (p + r) / 2, half = Math.hypot((p - r) / 2, q), low = middle - half, high = middle + half;
  if (low >= 0) return found;
  if (high <= 0) return least;
  // Of two eigenvalues the positive one's part.
  const part = high / (high - low);
  return {
    closed: least.closed + part * (p - low),
    whole: least.whole + part * (r - low),
    both: least.both + part * q,
  };
}

function varianceOfMeans(
  values: readonly (readonly number[])[],
  added: Added,
  least: Covariances,
  level: number,
): Terms {
  const [closed, whole] = values as [readonly number[], readonly number[]];
  const n = closed.length + added.examples, isPlain = added === NOTHING;
  const center = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / n;
  const of = (a: readonly number[], b: readonly number[], more: number) => {
    const products = a.reduce((sum, value, i) => sum + value * b[i]!, more) - n * center(a) * center(b);
    return products / (isPlain ? n - 1 : n);
  };
  const found = atLeast(
    {
      closed: of(closed, closed, added.squares),
      whole: of(whole, whole, added.squares),
      both: of(closed, whole, added.products),
    },
    least,
  );
  const factor = studentQuantile((1 + level) / 2, isPlain ? n - 1 : Infinity) ** 2 / n;
  return {
    closed: factor * found.closed,
    whole: factor * found.whole,
    both: factor * found.both,
    shrunk: closed.length / n,
  };
}
