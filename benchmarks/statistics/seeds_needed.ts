/** @file How many seeds a comparison needs, from how much the differences of seeds that were run vary. */
import { studentQuantile } from "../../numerics/distributions.ts";
import { type Comparison, FEWEST_SEEDS } from "./comparison.ts";
import { mean } from "./statistics.ts";

/** How a mean difference varies. */
export interface PairedSpread {
  /** Standard deviation of one seed's mean difference, on the same examples. */
  readonly seeds: number;
  /** The part of it that comes from single seeds on single examples. */
  readonly both: number;
  /** Standard error from the finite test set, which no number of seeds lessens. */
  readonly examples: number;
}

/** More are not looked for. */
const MOST_SEEDS = 1000;

/**
 * The spread that comparisons have in common: variances are means over them. A single comparison of two seeds says little,
 * many of one task say more. Null where none has two seeds.
 */
export function pooledSpread(
  comparisons: readonly Pick<Comparison, "errors" | "seeds">[],
): PairedSpread | null {
  const known = comparisons.flatMap(({ errors, seeds }) => errors === null ? [] : [{ ...errors, seeds }]);
  if (known.length === 0) return null;
  const root = (variances: readonly number[]) => Math.sqrt(mean(variances));
  const both = known.map(({ both, seeds }) => both ** 2 * seeds);
  return {
    // As in verdicts, seeds vary at least as much as what they make of single examples lets them.
    seeds: root(known.map(({ spread }, i) => Math.max(spread ** 2, both[i]!))),
    both: root(both),
    examples: root(known.map(({ examples }) => examples ** 2)),
  };
}

/**
 * The least number of seeds that show a true difference in about four of five repetitions, by the rule of `compare`: as
 * many seeds as its interval at `level` and the one at 60% together reach no further. Null where a thousand don't, since
 * they share their examples.
 *
 * @param level of a single comparison; where it is one of several, 1 less the error of all over their number
 */
export function seedsToShow(
  difference: number,
  spread: Pick<PairedSpread, "seeds" | "examples">,
  level = 0.95,
): number | null {
  const reach = (seeds: number, level: number) => {
    const at = (freedom: number) => studentQuantile((1 + level) / 2, freedom);
    return Math.hypot(at(seeds - 1) * spread.seeds / Math.sqrt(seeds), at(Infinity) * spread.examples);
  };
  const isEnough = (seeds: number) => reach(seeds, level) + reach(seeds, 0.6) <= difference;
  if (!isEnough(MOST_SEEDS)) return null;
  let few = FEWEST_SEEDS - 1, enough = MOST_SEEDS;
  while (enough - few > 1) {
    const middle = Math.floor((few + enough) / 2);
    if (isEnough(middle)) enough = middle;
    else few = middle;
  }
  return enough;
}

/** The spread with so many times as many test examples. */
export function withMoreExamples({ seeds, both, examples }: PairedSpread, times: number): PairedSpread {
  return {
    seeds: Math.sqrt(seeds ** 2 - both ** 2 * (1 - 1 / times)),
    both: both / Math.sqrt(times),
    examples: examples / Math.sqrt(times),
  };
}
