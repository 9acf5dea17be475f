/** @file How sharply the loss bends where each method begins, beside the rate that suits it. */
import { mean } from "../../statistics/statistics.ts";
import { formatRank, formatRate, formatSignificant } from "../format.ts";
import type { Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** A row a task, rank and method; without rows where no run took it. */
export function sharpnessTable(study: Study): Table {
  return {
    title: "Sharpness",
    note:
      "The largest eigenvalue of the Hessian of the first batch's loss, in the numbers that a method trains and before its " +
      "first step, by Lanczos' method on differences of gradients: the mean over seeds, the lowest and the highest. Plain " +
      "descent is stable up to a rate of 2 over it. Learning Rate Matters (arXiv 2602.04998) explains by it why methods want " +
      "different rates: where that holds, rate times sharpness is alike for all of them. Adam divides gradients by their size, " +
      "so it need not hold.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "Learning rate",
      "Sharpness",
      "Lowest",
      "Highest",
      "Rate × sharpness",
      "Seeds",
    ],
    rows: study.cells.flatMap((cell) => {
      const found = cell.runs.flatMap(({ outcome, config }) =>
        outcome.sharpness ? [{ value: outcome.sharpness.value, rate: config.schedule.learningRate }] : []
      );
      if (found.length === 0) return [];
      const values = found.map(({ value }) => value);
      return [[
        cell.task.title,
        formatRank(cell.rank),
        cell.method.label,
        formatRate(found[0]!.rate),
        formatSignificant(mean(values)),
        formatSignificant(Math.min(...values)),
        formatSignificant(Math.max(...values)),
        formatSignificant(mean(found.map(({ value, rate }) => value * rate))),
        String(found.length),
      ]];
    }),
  };
}
