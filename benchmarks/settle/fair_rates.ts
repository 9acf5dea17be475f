/** @file Which learning rates a method is tried at, and which of them it is compared at. Looks at validation losses alone. */

/** A grid that grew by so many rates beyond its first ones, and whose best is still at its edge, is left so. */
const MOST_MORE = 6;

/** Mean log loss of the tuning seeds at each rate; Infinity where one diverged, null where one is yet to run. */
export type Tried = ReadonlyMap<number, number | null>;

/** The rate that a method is compared at. */
export interface FairRate {
  readonly learningRate: number;
  /** The best of the other rates; null where there is none at which no run diverged. */
  readonly runnerUp: number | null;
  /** How much larger its loss is, as a share; null without a runner-up. */
  readonly lead: number | null;
  /** True where the grid was left with its best rate at an edge. */
  readonly atEdge: boolean;
}

/**
 * The rates that a search asks for: the first ones, and while the best of them is at an edge, twice or half of it. Once a
 * rate has no loss yet, those asked for so far; so that a search that has ended gives all its rates.
 *
 * @param first ascending
 */
export function ratesAsked(first: readonly number[], tried: Tried): readonly number[] {
  let asked = [...first];
  while (asked.length < first.length + MOST_MORE && first.length > 1) {
    if (asked.some((learningRate) => (tried.get(learningRate) ?? null) === null)) break;
    const best = bestOf(asked, tried), [least, most] = [asked[0]!, asked.at(-1)!];
    // Where every run diverged, smaller rates may not.
    if (best === null || best === least) asked = [least / 2, ...asked];
    else if (best === most) asked = [...asked, 2 * most];
    else break;
  }
  return asked;
}

/** The choice among rates that all have a loss; null where runs diverged at each. */
export function chooseRate(rates: readonly number[], tried: Tried): FairRate | null {
  const learningRate = bestOf(rates, tried);
  if (learningRate === null) return null;
  const runnerUp = bestOf(rates.filter((one) => one !== learningRate), tried);
  return {
    learningRate,
    runnerUp,
    lead: runnerUp === null ? null : Math.expm1(tried.get(runnerUp)! - tried.get(learningRate)!),
    atEdge: rates.length > 1 && (learningRate === rates[0] || learningRate === rates.at(-1)),
  };
}

/** The rate of the least loss, of equal ones the smallest; null where none is finite. */
function bestOf(rates: readonly number[], tried: Tried): number | null {
  return rates.reduce<number | null>((best, learningRate) => {
    const loss = tried.get(learningRate) ?? Infinity;
    return loss < (best === null ? Infinity : tried.get(best)!) ? learningRate : best;
  }, null);
}
