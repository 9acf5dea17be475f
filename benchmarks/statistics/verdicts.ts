/** @file Verdicts: whether a difference was shown, whether it was shown to be small, and what a family of them is held to. */
import type { IntervalAt } from "./statistics.ts";

/** The margin of "the same" where nobody states one: of scores from 0 to 1. */
export const MARGIN = 0.02;

/**
 * How one method compares with another:
 *
 * - "better", "worse": a difference was shown. It may have been shown to be less than the margin as well.
 * - "same": the difference was shown to be less than the margin, either way.
 * - "identical": there is none, bit for bit: one method under two names.
 * - "undecided": neither was shown. That says nothing of the difference.
 */
export type Verdict = "better" | "worse" | "same" | "identical" | "undecided";

/** What was shown of a difference. */
export interface Judgement {
  /**
   * The probability of such a difference or a larger one where there is none: 1 less the highest level whose interval
   * leaves out 0. At least 1e-12. Null where nothing is judged.
   */
  readonly pValue: number | null;
  /** `pValue` corrected for the family of comparisons that this is one of, see `correct`. */
  readonly corrected: number | null;
  /** Above 0: true differences of less, either way, are "the same". */
  readonly margin: number;
  /**
   * The probability of so small a difference or a smaller one where the true one is the margin: half of 1 less the highest
   * level whose interval lies within the margin, which is the larger p of two one-sided tests (Schuirmann, Journal of
   * Pharmacokinetics and Biopharmaceutics 15, 1987). 1e-12 to 0.5, or 1. Null where nothing is judged.
   */
  readonly pWithin: number | null;
  /** `pWithin` corrected for the family, see `correct`. */
  readonly correctedWithin: number | null;
  /** True where the difference was shown to be less than the margin, by `correctedWithin`. */
  readonly isWithin: boolean;
  /** Of `corrected`, else of `correctedWithin`. */
  readonly verdict: Verdict;
  /**
   * The least true difference that would be shown in about four of five repetitions of as many that vary as much: the reach
   * of the interval at the level that the verdict asks for in its family, and of the one at 60%. A larger difference is
   * never undecided. Null where nothing is judged.
   */
  readonly detectable: number | null;
  /** How far the interval that the verdict is by reaches from the mean at a level. Null where nothing is judged. */
  readonly reach: ((level: number) => number) | null;
}

/** What is asked of a comparison. */
export interface Asked {
  /** Of intervals and verdicts: 0.95 where absent. */
  readonly level?: number;
  /** Above 0; `MARGIN` where absent. */
  readonly margin?: number;
}

/** True of the verdicts that a difference was shown by. */
export function isShown(verdict: Verdict): boolean {
  return verdict === "better" || verdict === "worse";
}

/** False where there was too little to judge by. */
export function isJudged({ pValue, verdict }: Pick<Judgement, "pValue" | "verdict">): boolean {
  return pValue !== null || verdict === "identical";
}

/** The verdict as the other of the two has it. */
export function reversed(verdict: Verdict): Verdict {
  return verdict === "better" ? "worse" : verdict === "worse" ? "better" : verdict;
}

/** The verdict of a single comparison whose mean difference is `center`, by its intervals; undecided without them. */
export function judge(
  center: number,
  at: IntervalAt | null,
  { level = 0.95, margin = MARGIN }: Asked = {},
): Judgement {
  const pValue = at && pValueOf(at), pWithin = at && pWithinOf(at, margin);
  const reach = at && ((level: number) => {
    const { low, high } = at(level);
    return Math.max(center - low, high - center);
  });
  const judged = { pValue, corrected: pValue, margin, pWithin, correctedWithin: pWithin };
  return { ...judged, ...verdictOf(center, judged, level), detectable: detectableBy(reach, level), reach };
}

/** The judgement of what is one method under two names: nothing is left to chance. */
export function identical(margin: number): Judgement {
  const none = { pValue: null, corrected: null, pWithin: null, correctedWithin: null };
  return { ...none, margin, isWithin: true, verdict: "identical", detectable: null, reach: null };
}

/**
 * Corrects a family of comparisons for their number, and judges by that. Where there is no difference anywhere, at least
 * `level` of all repetitions show none in the whole family, and where all differences are the margin or more, as many call
 * none the same, however the comparisons depend on each other. What is undecided for lack of numbers, and what is identical,
 * stays so and does not count.
 * Source: Holm, Scandinavian Journal of Statistics 6 (1979).
 */
export function correct<C extends Judgement & { readonly mean: number }>(
  family: readonly C[],
  level = 0.95,
): C[] {
  const corrected = holm(family.map(({ pValue }) => pValue));
  const correctedWithin = holm(family.map(({ pWithin }) => pWithin));
  const found = family.map((one, i) => ({
    ...one,
    corrected: corrected[i]!,
    correctedWithin: correctedWithin[i]!,
    ...verdictOf(one.mean, { ...one, corrected: corrected[i]!, correctedWithin: correctedWithin[i]! }, level),
  }));
  const known = corrected.filter((one) => one !== null).length;
  const shown = found.filter(({ verdict }) => isShown(verdict)).length;
  return found.map((one) => {
    // Beside others that were shown, one more has to pass the level of those that are left.
    const left = known - shown + (isShown(one.verdict) ? 1 : 0);
    return { ...one, detectable: detectableBy(one.reach, 1 - (1 - level) / left) };
  });
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

function verdictOf(
  center: number,
  judged: Pick<Judgement, "corrected" | "correctedWithin"> & Partial<Judgement>,
  level: number,
): Pick<Judgement, "verdict" | "isWithin"> {
  const { corrected, correctedWithin, verdict = "undecided", isWithin = false } = judged;
  if (corrected === null) return { verdict, isWithin };
  const most = 1 - level, small = correctedWithin !== null && correctedWithin <= most;
  if (corrected <= most) return { verdict: center > 0 ? "better" : "worse", isWithin: small };
  return { verdict: small ? "same" : "undecided", isWithin: small };
}

function detectableBy(reach: Judgement["reach"], level: number): number | null {
  return reach && reach(level) + reach(0.6);
}

/** Smallest p value that is told: a level can't be told from 1 much further. */
const LEAST_P = 1e-12;

function pValueOf(at: IntervalAt): number {
  return leastP((p) => {
    const { low, high } = at(1 - p);
    return low > 0 || high < 0;
  }, 1);
}

function pWithinOf(at: IntervalAt, margin: number): number {
  return leastP((p) => {
    const { low, high } = at(1 - 2 * p);
    return low > -margin && high < margin;
  }, 0.5);
}

/** The least p up to `most` at which something is shown; 1 where it is at none. */
function leastP(isShownAt: (p: number) => boolean, most: number): number {
  // The bounds are logarithms: small p values matter by their ratio.
  let low = Math.log(LEAST_P), high = Math.log(most);
  if (!isShownAt(most)) return 1;
  if (isShownAt(LEAST_P)) return LEAST_P;
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2;
    if (isShownAt(Math.exp(middle))) high = middle;
    else low = middle;
  }
  return Math.exp(high);
}
