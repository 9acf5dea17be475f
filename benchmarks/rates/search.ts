/** @file Which of a grid's learning rates a tuning sweep runs: a few far apart, then the neighbours of the best. */
import { canonicalJson } from "../../files/canonical_json.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { finalValidationLoss } from "./choose.ts";
import type { PlannedRun } from "../sweep/plan.ts";
import { mean } from "../statistics/statistics.ts";

/** Where the first rates lie in the sorted grid, as shares of its length. */
const FIRST = [1 / 6, 1 / 2, 5 / 6];

/**
 * The runs of `runs` that a search for each method's best rate asks for, given the results so far: three rates of the
 * grid at first, then those beside the best of the rates that were tried, until none of them is better. What was asked
 * for earlier is asked for again, so that a search which has ended gives all its runs.
 *
 * Every task, model, method and rank is searched by the same rule, whatever its losses. It finds the best rate of the
 * whole grid where the loss falls and then rises along it; a second valley is missed. Losses are means over seeds of the
 * last validation loss, infinite where a run diverged or failed; of equal ones the smaller rate is the better.
 */
export function searchedRuns(
  runs: readonly PlannedRun[],
  results: ReadonlyMap<string, RunResult>,
): readonly PlannedRun[] {
  const cells = Map.groupBy(runs, ({ config }) => cellOf(config));
  const asked = new Set([...cells.values()].flatMap((cell) => searchCell(cell, results)));
  return runs.filter((run) => asked.has(run));
}

/** What runs have in common that differ in rate and seed alone. */
function cellOf(
  { seed: _, schedule: { learningRate: _learningRate, ...schedule }, ...config }: RunConfig,
): string {
  return canonicalJson({ ...config, schedule });
}

function searchCell(cell: readonly PlannedRun[], results: ReadonlyMap<string, RunResult>): PlannedRun[] {
  const byRate = [...Map.groupBy(cell, ({ config }) => config.schedule.learningRate)]
    .sort(([a], [b]) => a - b).map(([, runs]) => runs);
  const asked = new Set(FIRST.map((share) => Math.floor(share * byRate.length)));
  for (;;) {
    const tried = [...asked].sort((a, b) => a - b).map((at) => ({ at, loss: lossOf(byRate[at]!, results) }));
    const known = tried.flatMap(({ at, loss }) => loss === null ? [] : [{ at, loss }]);
    const isWhole = known.length === tried.length;
    const best = known.reduce<{ at: number; loss: number } | null>(
      (least, one) => one.loss < (least?.loss ?? Infinity) ? one : least,
      null,
    );
    const neighbours = isWhole && best
      ? [best.at - 1, best.at + 1].filter((at) => at in byRate && !asked.has(at))
      : [];
    if (neighbours.length === 0) return [...asked].sort((a, b) => a - b).flatMap((at) => byRate[at]!);
    for (const at of neighbours) asked.add(at);
  }
}

/** Null where a run has no result yet. */
function lossOf(runs: readonly PlannedRun[], results: ReadonlyMap<string, RunResult>): number | null {
  const found = runs.map(({ id }) => results.get(id));
  if (!found.every((result) => result !== undefined)) return null;
  return mean(found.map((result) => finalValidationLoss(result) ?? Infinity));
}
