/**
 * @file What readers choose to see, the same in all charts: parameters with fixed names, and rows of runs that they act on.
 *
 * A specification of `charts/` holds its data inline and has the parameters of `FILTERS` at its top, each null or a list of
 * values. The first transform keeps the rows whose field is in the list. Rows lack what does not apply to them, and are
 * kept. Means and intervals come after that transform, so they are those of what is shown. A page lays each chart out anew
 * for what its reader chose: see lay_out.ts.
 */
import type { Cell, DoneRun, RunsAtRate, Study } from "../../study/study.ts";
import type { Choice, RatesShown } from "./lay_out.ts";

/**
 * The filters: the name of the parameter and the field that it acts on. A parameter is null, for all, or an array with
 * values of its field. `shownRates` at null shows each method at the rate that speaks for it, where a chart is not about
 * rates: numbers at different rates have no mean worth telling.
 */
export const FILTERS = [
  { parameter: "shownTasks", field: "task" },
  { parameter: "shownMethods", field: "method" },
  { parameter: "shownRanks", field: "rank" },
  { parameter: "shownSeeds", field: "seed" },
  { parameter: "shownRates", field: "rate" },
] as const;

/** Fields of a row that is about one run. A mark that stands for several runs has their ids in a field `runs`. */
export interface RunRow {
  /** The task's id. */
  readonly task: string;
  /** The label that reports use. */
  readonly method: string;
  /** Null for methods without ranks, which no choice of ranks leaves out. */
  readonly rank: number | null;
  readonly seed: number;
  /** Peak learning rate. */
  readonly rate: number;
  /** True at the rate that speaks for the method on this task at this rank. */
  readonly best: boolean;
  /** The run's id. */
  readonly run: string;
}

/** What stands in the place of a run's id where it diverged. */
export const DIVERGED = "diverged";

/** The choice of all. */
export const EVERYTHING: readonly Choice[] = FILTERS.map((filter) => ({ ...filter, values: null }));

/** A specification's first transform: it keeps rows that the reader wants. */
export function rowFilter(rates: RatesShown): object {
  return { filter: FILTERS.map(({ parameter, field }) => passes(parameter, field, rates)).join(" && ") };
}

/** A row of each finished run at each rate of the cells of a study, with what `read` adds; no row where it gives null. */
export function runRows<T extends object>(
  study: Study,
  read: (run: DoneRun, cell: Cell) => T | null,
): (RunRow & T)[] {
  return study.cells.flatMap((cell) =>
    cell.grid.flatMap((atRate) =>
      atRate.runs.flatMap((run) => {
        const own = read(run, cell);
        return own === null ? [] : [{ ...runRow(cell, atRate, run), ...own }];
      })
    )
  );
}

function runRow(cell: Cell, { learningRate }: RunsAtRate, run: DoneRun): RunRow {
  return {
    task: cell.task.id,
    method: cell.method.label,
    rank: cell.rank,
    seed: run.config.seed,
    rate: learningRate,
    best: learningRate === cell.learningRate,
    run: run.id,
  };
}

function passes(parameter: string, field: string, rates: RatesShown): string {
  const all = field === "rate" && rates === "best"
    ? `(${parameter} === null && datum.best !== false)`
    : `${parameter} === null`;
  return `(${all} || !isValid(datum.${field}) || indexof(${parameter} || [], datum.${field}) >= 0)`;
}
