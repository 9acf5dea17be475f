/** @file What tasks measure beside their scores. */
import { createRandom } from "../../../numerics/random.ts";
import type { Measure } from "../../../tasks/task.ts";
import { valueOf } from "../../../training/scoring/measures.ts";
import type { MeasuredOutcome } from "../../../training/run.ts";
import { bootstrapSets, drawSets } from "../../statistics/bootstrap.ts";
import { type Interval, mean, meanByExample, studentInterval } from "../../statistics/statistics.ts";
import { formatCellRate, formatInterval, formatNumber, formatRank, formatWhole } from "../format.ts";
import type { Cell, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** The sets that are drawn of so many examples: the same for all rows. */
type SetsOf = (examples: number) => readonly Uint32Array[];

/** A row for each measure of each cell; without rows where no task measures anything. */
export function measuresTable(study: Study): Table {
  const drawn = new Map<number, readonly Uint32Array[]>();
  const setsOf: SetsOf = (examples) => {
    const sets = drawn.get(examples) ?? drawSets(examples, createRandom(0).fork("bootstrap"));
    drawn.set(examples, sets);
    return sets;
  };
  return {
    title: "Further measures",
    note:
      "What tasks measure beside their scores, on the same examples: the mean over seeds of its value for " +
      "all examples together. ↑ is better higher, ↓ better lower. Intervals are at 95%. Over seeds they are " +
      "Student's t. Over examples they are Student's t for means; for other measures, the bootstrap of " +
      "examples, drawn alike for all seeds. Their ends are cut at what a value can be.",
    columns: [
      "Task",
      "Measure",
      "Rank",
      "Method",
      "Learning rate",
      "Value",
      "over seeds",
      "over examples",
      "Seeds",
      "Examples",
    ],
    rows: study.tasks.flatMap((task) =>
      task.measures.flatMap((measure) =>
        study.cells.filter((cell) => cell.task === task).flatMap((cell) => rowOf(cell, measure, setsOf))
      )
    ),
  };
}

/** None where no run of the cell has the measure. */
function rowOf(cell: Cell, measure: Measure, setsOf: SetsOf): string[][] {
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
  const examples = formatWhole(measured.map((one) => one.values.length));
  const values = measured.flatMap(({ value }) => value ?? []);
  // Where a seed has no value, what the others say would be about them alone.
  if (values.length < measured.length) return [[...start, "—", "—", "—", String(measured.length), examples]];
  return [[
    ...start,
    formatNumber(mean(values)),
    formatInterval(cut(studentInterval(values), measure)),
    formatInterval(cut(overExamples(measured, measure, setsOf), measure)),
    String(values.length),
    examples,
  ]];
}

/** No share is below 0, whatever Student's t says. */
function cut(interval: Interval | null, { within = [-Infinity, Infinity] }: Measure): Interval | null {
  const [least, most] = within;
  return interval && { low: Math.max(least, interval.low), high: Math.min(most, interval.high) };
}

/** Of a mean by its examples' means over seeds; of what is none by drawing examples. */
function overExamples(
  measured: readonly MeasuredOutcome[],
  measure: Measure,
  setsOf: SetsOf,
): Interval | null {
  if (!measure.ofPairs) return studentInterval(meanByExample(measured.map(({ values }) => values)));
  return bootstrapSets(
    setsOf(measured[0]!.values.length),
    (drawn) => mean(measured.map((one) => valueOf(measure, resampled(one, drawn)) ?? NaN)),
  );
}

function resampled({ values, labels }: MeasuredOutcome, drawn: Uint32Array): Omit<MeasuredOutcome, "value"> {
  const pick = (list: readonly number[]) => Array.from(drawn, (i) => list[i]!);
  return { values: pick(values), ...(labels && { labels: pick(labels) }) };
}
