/** @file What a page's readers can choose among: the values that its runs have. */
import { FILTERS } from "../drawing/filters.ts";
import { formatRate } from "../format.ts";
import type { ReportedRun } from "../report.ts";
import type { Filter, FilterValue } from "./page_data.ts";

const byNumber = (a: FilterValue, b: FilterValue) => Number(a.value) - Number(b.value);

const shown = {
  task: { title: "Task", all: "all", label: (run: ReportedRun) => run.taskTitle },
  method: { title: "Method", all: "all", label: (run: ReportedRun) => run.method },
  rank: { title: "Rank", all: "all", label: (run: ReportedRun) => String(run.rank), order: byNumber },
  seed: { title: "Seed", all: "all", label: (run: ReportedRun) => String(run.seed), order: byNumber },
  rate: {
    title: "Learning rate",
    all: "each method's own",
    label: (run: ReportedRun) => formatRate(run.rate),
    order: byNumber,
  },
} as const;

/** The filters of `FILTERS` with the values of these runs; numbers ascend. */
export function filtersOf(runs: readonly ReportedRun[]): Filter[] {
  return FILTERS.map(({ parameter, field }) => {
    const { title, all, label, ...rest } = shown[field];
    const values = new Map(runs.flatMap((run) => {
      const value = run[field];
      return value === null ? [] : [[value, { value, label: label(run) }] as const];
    }));
    return {
      parameter,
      field,
      title,
      all,
      values: "order" in rest ? [...values.values()].sort(rest.order) : [...values.values()],
    };
  });
}
