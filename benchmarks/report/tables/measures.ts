/** @file What tasks measure beside their scores. */
import { createRandom } from "../../../numerics/random.ts";
import type { Measure } from "../../../tasks/task.ts";
import { valueOf } from "../../../training/measures.ts";
import type { MeasuredOutcome } from "../../../training/run.ts";
import { bootstrapSets, mean, studentInterval } from "../../statistics.ts";
import { formatCellRate, formatInterval, formatNumber, formatRank } from "../format.ts";
import type { Cell, Study, Table } from "../report.ts";

/** A row for each measure of each cell; without rows where no task measures anything. */
export function measuresTable(study: Study): Table {
  return {
    title: "Further measures",
    note:
      "What tasks measure beside their scores, on the same examples: the mean over seeds of its value for all examples " +
      "together. Of the arrows, ↑ is better higher and ↓ better lower. Intervals are at 95%: Student's t over seeds, " +
      "and the bootstrap over examples, which are drawn alike for all seeds.",
    columns: [
      "Task",
      "Measure",
      "Rank",
      "Method",
      "Peak rate",
      "Value",
      "over seeds",
      "over examples",
      "Seeds",
    ],
    rows: study.tasks.flatMap((task) =>
      task.measures.flatMap((measure) =>
        study.cells.filter((cell) => cell.task === task).flatMap((cell) => rowOf(cell, measure))
      )
    ),
  };
}

/** None where no run of the cell has the measure. */
function rowOf(cell: Cell, measure: Measure): string[][] {
  const measured = cell.runs.map(({ outcome }) => outcome.measures?.[measure.name])
    .filter((one) => one !== undefined);
  if (measured.length === 0) return [];
  const { task, rank, method } = cell, arrow = measure.better === "higher" ? "↑" : "↓";
  const start = [
    task.title,
    `${measure.name} ${arrow}`,
    formatRank(rank),
    method.label,
    formatCellRate(cell),
  ];
  const values = measured.flatMap(({ value }) => value ?? []);
  // Where a seed has no value, what the others say would be about them alone.
  if (values.length < measured.length) return [[...start, "—", "—", "—", String(measured.length)]];
  const overExamples = bootstrapSets(
    measured[0]!.values.length,
    (drawn) => {
      const found = measured.map((one) => valueOf(measure, resampled(one, drawn)) ?? NaN);
      return mean(found);
    },
    createRandom(0).fork("bootstrap"),
  );
  return [[
    ...start,
    formatNumber(mean(values)),
    formatInterval(studentInterval(values)),
    formatInterval(overExamples),
    String(values.length),
  ]];
}

function resampled({ values, labels }: MeasuredOutcome, drawn: Uint32Array): Omit<MeasuredOutcome, "value"> {
  const pick = (list: readonly number[]) => Array.from(drawn, (i) => list[i]!);
  return { values: pick(values), ...(labels && { labels: pick(labels) }) };
}
