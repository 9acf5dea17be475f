/** @file Which share of the gap between two methods a third one closes. */
import { studentQuantile } from "../numerics/distributions.ts";
import { differencesOf, type Interval, mean, meanByExample, type Verdict } from "./statistics.ts";

/** A share of a gap: (ours - from) / (to - from), with what is known about it. */
export interface GapShare {
  /** Mean of `to` less that of `from`. */
  readonly gap: number;
  /** Whether `to` scores better than `from` at this level. */
  readonly shown: Verdict;
  /** 0 where the method is where the gap begins, 1 where it ends. Null unless `shown` is "better": of no gap there are no shares. */
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
 * over seeds and over examples, whose squared quantiles times variances add up as in `estimate`. It covers as its test
 * does, however small the gap is; where 0 is no unlikely gap it is unbounded, and there is no share.
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
  const sources = [
    [closed.map(mean), whole.map(mean)] as const,
    [meanByExample(closed), meanByExample(whole)] as const,
  ].filter(([values]) => values.length > 1);
  /** Squared quantile times covariance of means, of all sources. */
  const spread = (
    read: (
      pair: readonly [readonly number[], readonly number[]],
    ) => [a: readonly number[], b: readonly number[]],
  ) =>
    sources.reduce((sum, source) => {
      const [a, b] = read(source), n = a.length;
      return sum + studentQuantile((1 + level) / 2, n - 1) ** 2 * covariance(a, b) / n;
    }, 0);
  // a ρ² - 2 b ρ + c is at most 0 within the interval.
  const a = gap ** 2 - spread(([, d]) => [d, d]);
  const b = gained * gap - spread(([n, d]) => [n, d]);
  const c = gained ** 2 - spread(([n]) => [n, n]);
  const shown = sources.length === 0 || a <= 0 ? "tie" : gap > 0 ? "better" : "worse";
  const counts = { gap, shown, seeds: closed.length, examples: closed[0]?.length ?? 0 } as const;
  if (shown !== "better") return { ...counts, share: null, interval: null };
  // The share itself is in the interval, so the root is real but for rounding.
  const root = Math.sqrt(Math.max(0, b ** 2 - a * c));
  return { ...counts, share: gained / gap, interval: { low: (b - root) / a, high: (b + root) / a } };
}

function covariance(a: readonly number[], b: readonly number[]): number {
  const centerA = mean(a), centerB = mean(b);
  return a.reduce((sum, value, i) => sum + (value - centerA) * (b[i]! - centerB), 0) / (a.length - 1);
}
