/** @file Seeds of a cell whose scores lie far from those of its others. */
import { outliersOf } from "../statistics/outliers.ts";
import { errorSources, mean } from "../statistics/statistics.ts";
import type { Cell, DoneRun } from "./study.ts";

/**
 * The finished runs whose scores are too far from those of the cell's other seeds to be chance, see `outliersOf`; none of
 * fewer than four. They count like all others.
 */
export function farSeeds({ runs }: Cell): DoneRun[] {
  const scores = runs.map(({ outcome }) => outcome.scores), errors = errorSources(scores);
  // What single seeds make of single examples: seeds vary by so much in any case.
  const least = errors === null ? 0 : errors.both * Math.sqrt(runs.length);
  return outliersOf(scores.map(mean), least).map((i) => runs[i]!);
}
