/** @file Which of a grid's learning rates a tuning sweep runs: a few far apart, then the best's neighbours, these with every seed. */
import { canonicalJson } from "../../files/canonical_json.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import type { PlannedRun } from "../sweep/plan.ts";
import { lateValidationLoss, meanLogLoss } from "./late_loss.ts";

/** Where the first rates lie in the sorted grid, as shares of its length. */
const FIRST = [1 / 6, 1 / 2, 5 / 6];

/**
 * The runs of `runs` that a search for each method's best rate asks for, given the results so far. With the first seed
 * alone: three rates of the grid, then those beside the best of the rates that were tried, until none of them is better.
 * With all seeds: that rate and those beside it, and on, until none beside the best of all seeds is better. What was asked
 * for earlier is asked for again, so that a search which has ended gives all its runs.
 *
 * Every task, model, method and rank is searched by the same rule, whatever its losses. It finds the best rate of the
 * whole grid where the loss falls and then rises along it; a second valley is missed. Losses are mean logarithms over seeds
 * of the late validation loss, infinite where a run diverged or failed; of equal ones the smaller rate is the better.
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

/** The runs of a grid's rates, by place in the grid, then by seed. */
type Grid = readonly (readonly PlannedRun[])[];

function searchCell(cell: readonly PlannedRun[], results: ReadonlyMap<string, RunResult>): PlannedRun[] {
  const grid: Grid = [...Map.groupBy(cell, ({ config }) => config.schedule.learningRate)]
    .sort(([a], [b]) => a - b).map(([, runs]) => runs.toSorted((a, b) => a.config.seed - b.config.seed));
  const first = FIRST.map((share) => Math.floor(share * grid.length));
  const coarse = climb(grid.map((runs) => runs.slice(0, 1)), first, results);
  if (coarse.best === null) return coarse.asked;
  const around = [coarse.best - 1, coarse.best, coarse.best + 1].filter((at) => at in grid);
  return [...new Set([...coarse.asked, ...climb(grid, around, results).asked])];
}

/** From some rates of a grid to those beside the best, until none is better. `best` is null while a result is missing. */
function climb(
  grid: Grid,
  first: readonly number[],
  results: ReadonlyMap<string, RunResult>,
): { readonly asked: PlannedRun[]; readonly best: number | null } {
  const asked = new Set(first);
  for (;;) {
    const tried = [...asked].sort((a, b) => a - b).map((at) => ({ at, loss: lossOf(grid[at]!, results) }));
    const known = tried.flatMap(({ at, loss }) => loss === null ? [] : [{ at, loss }]);
    const isWhole = known.length === tried.length;
    const best = known.reduce<{ at: number; loss: number } | null>(
      (least, one) => one.loss < (least?.loss ?? Infinity) ? one : least,
      null,
    );
    const beside = isWhole && best
      ? [best.at - 1, best.at + 1].filter((at) => at in grid && !asked.has(at))
      : [];
    if (beside.length === 0) {
      return { asked: tried.flatMap(({ at }) => grid[at]!), best: isWhole && best ? best.at : null };
    }
    for (const at of beside) asked.add(at);
  }
}

/** Null where a run has no result yet. */
function lossOf(runs: readonly PlannedRun[], results: ReadonlyMap<string, RunResult>): number | null {
  const found = runs.map(({ id }) => results.get(id));
  if (!found.every((result) => result !== undefined)) return null;
  return meanLogLoss(found.map(lateValidationLoss));
}
