/** @file Scores and losses by the values of what a sweep varied. */
import { finalValidationLoss } from "../../rates/choose.ts";
import { estimate, mean } from "../../statistics/statistics.ts";
import { tellValue } from "../../sweep/axes.ts";
import { formatInterval, formatNumber, formatRank, formatRate } from "../format.ts";
import type { Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** A row for each value of each field that was varied, and for each method there; null where none was. */
export function axesTable(study: Study): Table | null {
  if (study.axes.length === 0) return null;
  return {
    title: "By what was varied",
    note:
      "One field at a time, all others as the sweep has them. At each value a method has the rate of the least validation " +
      "loss among those that ran there. Mean over seeds with the 95% interval for new seeds and examples, as in “Scores”; " +
      "runs that diverged are counted beside, and are in no mean.",
    columns: [
      "Field",
      "Value",
      "Task",
      "Method",
      "Rank",
      "Learning rate",
      "Score",
      "95% interval",
      "Last validation loss",
      "Seeds",
    ],
    rows: study.axes.flatMap(({ title, values, cells, series }) =>
      [...values, null].flatMap((value) =>
        study.tasks.flatMap((task) =>
          series.flatMap((method) =>
            cells.filter((cell) =>
              cell.task === task && cell.series === method &&
              (value === null
                ? cell.value === null
                : cell.value !== null && tellValue(cell.value) === tellValue(value))
            ).map(({ rank, learningRate, runs, diverged }) => {
              const found = runs.length > 0 ? estimate(runs.map(({ outcome }) => outcome.scores)) : null;
              const losses = runs.flatMap((run) => finalValidationLoss(run) ?? []);
              return [
                title,
                value === null ? "has none" : tellValue(value),
                task.title,
                method.label,
                formatRank(rank),
                formatRate(learningRate),
                found ? formatNumber(found.mean) : "—",
                formatInterval(found?.interval ?? null),
                losses.length > 0 ? formatNumber(mean(losses)) : "—",
                `${runs.length}${diverged.length > 0 ? ` (${diverged.length} diverged)` : ""}`,
              ];
            })
          )
        )
      )
    ),
  };
}
