/** @file Intervals of values that are no means, by drawing again from what was measured. Seeded: the same every time. */
import type { Random } from "../../numerics/random.ts";
import { type Interval, mean } from "./statistics.ts";

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
  return percentiles(sets.map(valueOf), level);
}

/** A draw: of each stratum the indices of as many of its values as it has, with replacement. */
export type StratifiedDraw = readonly Uint32Array[];

/** Draws for strata of these sizes, such as the runs of each task. */
export function drawStrata(sizes: readonly number[], random: Random, count = 2000): StratifiedDraw[] {
  return Array.from({ length: count }, (_, i) => {
    const own = random.fork(`resample ${i}`);
    return sizes.map((size, stratum) => own.fork(`stratum ${stratum}`).integers(size, size));
  });
}

/**
 * Percentile interval of a value of runs that are drawn again within their tasks: for new runs on the same tasks. `valueOf`
 * gets each of the draws of `drawStrata`. Null without draws, and where one has no finite value.
 * Source: the stratified bootstrap of rliable, Agarwal et al., arXiv 2108.13264, section 4.1.
 */
export function bootstrapStrata(
  draws: readonly StratifiedDraw[],
  valueOf: (draw: StratifiedDraw) => number,
  level = 0.95,
): Interval | null {
  return percentiles(draws.map(valueOf), level);
}

/**
 * The mean of the middle half: of n values the n / 4 least and largest (rounded down) are left out. NaN for nothing.
 * Source: rliable, arXiv 2108.13264, section 4.3; SciPy's `trim_mean` with a quarter.
 */
export function interquartileMean(values: readonly number[]): number {
  const out = Math.floor(values.length / 4);
  return mean(values.toSorted((a, b) => a - b).slice(out, values.length - out));
}

/**
 * How likely a run of ours scores higher than one of theirs: of all pairs of runs the share that ours wins, equal scores
 * being half a win. Mann and Whitney's U over the number of pairs. NaN where either has no run.
 * Source: rliable, arXiv 2108.13264, section 4.3: its mean over tasks is the probability of improvement.
 */
export function improvement(ours: readonly number[], theirs: readonly number[]): number {
  const wins = ours.reduce(
    (sum, one) => theirs.reduce((own, other) => own + (one > other ? 1 : one === other ? 0.5 : 0), sum),
    0,
  );
  return wins / (ours.length * theirs.length);
}

function percentiles(values: readonly number[], level: number): Interval | null {
  const sorted = values.toSorted((a, b) => a - b), { length } = sorted;
  if (length === 0 || !sorted.every(Number.isFinite)) return null;
  const tail = (1 - level) / 2;
  return {
    low: sorted[Math.floor(tail * length)]!,
    high: sorted[Math.min(length - 1, Math.ceil((1 - tail) * length) - 1)]!,
  };
}
