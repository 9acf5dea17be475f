/** @file Scores and losses by the values of what a sweep varied: one chart a field, whatever the field is. */
import { mean } from "../../statistics/statistics.ts";
import { finalValidationLoss } from "../../rates/choose.ts";
import { tellValue } from "../../sweep/axes.ts";
import type { AxisCell, AxisView, DoneRun, Study } from "../../study/study.ts";
import type { Drawing } from "../drawing/lay_out.ts";
import type { Chart } from "./chart.ts";
import { short } from "../drawing/curves.ts";
import { cutEnds, cutInterval } from "../drawing/intervals.ts";
import { meansOverRuns, meansTooltip, ONE_A_GROUP, runTooltip } from "../drawing/means.ts";
import { grid } from "../drawing/panels.ts";
import { NUMBERS } from "../drawing/scales.ts";

/** What the ids of these charts begin with. */
export const AXIS_CHARTS = "by-";

const SCORE = "Score", LOSS = "Last validation loss", FAR = "Mean ‖g̃ − G‖ / ‖G‖";
const MEASURES = [SCORE, LOSS, FAR];

/** A chart for each field that a study's runs vary. */
export function axisCharts(study: Study): Chart[] {
  return study.axes.map((axis) => {
    const id = `${AXIS_CHARTS}${axis.field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const title = `What changes with ${axis.title === axis.field ? axis.title : `the ${axis.title}`}?`;
    return { id, title, caption: captionOf(axis), draw: (study) => draw(study, axis, title) };
  });
}

function captionOf({ scale, cells, isSize }: AxisView): string {
  return "Test score, last validation loss and, where it was measured, the distance from the full gradient over " +
    "training, a line for each method. At each value a method has the rate of the least validation loss among those " +
    "that ran there. Large marks are means over seeds with their 95% intervals for new seeds (Student's t; an arrow cuts " +
    "off one that is far wider than the range of all), small ones are single runs." +
    (isSize
      ? " Models of another size than their own start from random weights: they learn from scratch."
      : "") +
    (scale === "log" ? " The axis is logarithmic." : "") +
    (cells.some(({ value }) => value === null)
      ? " A method that does not have the option is a level line with a band."
      : "");
}

function draw(study: Study, axis: AxisView, title: string): Drawing | null {
  const rows = axis.cells.flatMap((cell) => rowsOf(cell, axis));
  if (rows.length === 0) return null;
  const at = axis.values.map((_, i) => placeOf(axis, i));
  const [first, last] = [Math.min(...at), Math.max(...at)], room = 0.12 * (last - first || 1);
  const names = JSON.stringify(axis.values.map((value) => tellNumber(value)));
  const x = {
    field: "x",
    type: "quantitative",
    title: axis.title[0]!.toUpperCase() + axis.title.slice(1),
    scale: { domain: [first - room, last + room], nice: false, zero: false },
    axis: {
      values: at,
      // Of the places themselves, which no arithmetic has changed.
      labelExpr: `(${names})[indexof(${JSON.stringify(at)}, datum.value)]`,
      grid: false,
      labelOverlap: true,
    },
  };
  const y = {
    field: "value",
    type: "quantitative",
    title: null,
    scale: { zero: false, nice: false, padding: 8 },
    axis: { tickCount: 5, ...NUMBERS, labelOverlap: true },
  };
  const present = axis.series.filter(({ label }) => rows.some(({ line }) => line === label));
  const domain = present.map(({ label }) => label);
  const channel = (range: readonly string[]) => ({
    field: "line",
    type: "nominal",
    scale: { domain, range },
    legend: { orient: "bottom", title: null, columns: 4, symbolOpacity: 1, symbolStrokeWidth: 0.5 },
  });
  const color = channel(present.map((one) => one.color)), shape = channel(present.map((one) => one.shape));
  const dashes = Object.fromEntries(present.map(({ label, dash }) => [label, dash]));
  const meanY = { ...y, field: "valueMean" }, low = { ...y, field: "low" }, high = { field: "high" };
  const points = { filter: "isValid(datum.place)" }, bands = { filter: "!isValid(datum.place)" };
  const value = [{ heading: "Value", field: "value" }];
  const beside = [{ heading: "Value is", field: "measure", format: "" as const }, {
    heading: axis.title,
    field: "told",
    format: "" as const,
  }];
  const quiet = { aria: false, tooltip: null };
  const means = { aria: false, tooltip: meansTooltip(value, beside) };
  // Lines lie a little beside each other, to be told apart.
  const aside = 0.02 * (last - first || 1);
  return grid(study, {
    title,
    subtitle: "Means over seeds with 95% intervals; small: single runs",
    rows,
    transform: [
      { flatten: ["measure", "value"] },
      ...meansOverRuns(["value"], ["task", "line", "place", "rate", "best", "measure"]),
      {
        calculate: `datum.place + ${aside} * (indexof(${JSON.stringify(domain)}, datum.line) - ${
          (domain.length - 1) / 2
        })`,
        as: "x",
      },
      ...cutInterval("value", ["task", "measure"], `datum.measure === '${SCORE}' ? 1 : 1e300`),
    ],
    layer: [
      {
        transform: [bands, ONE_A_GROUP],
        mark: { type: "rect", opacity: 0.13, ...quiet },
        encoding: { y: low, y2: high, color },
      },
      {
        transform: [bands, ONE_A_GROUP],
        mark: { type: "rule", strokeWidth: 2, ...means },
        encoding: { y: meanY, color },
      },
      ...axis.scale === "words" ? [] : [{
        transform: [points, ONE_A_GROUP],
        mark: {
          type: "line",
          strokeWidth: 2,
          strokeDash: { expr: `(${JSON.stringify(dashes)})[datum.line]` },
          ...quiet,
        },
        encoding: { x, y: meanY, color, detail: { field: "line" } },
      }],
      {
        transform: [points, ONE_A_GROUP],
        mark: { type: "rule", strokeWidth: 1.5, ...quiet },
        encoding: { x, y: low, y2: high, color },
      },
      ...cutEnds("y", [points, ONE_A_GROUP], y, { x, color }),
      ...cutEnds("y", [bands, ONE_A_GROUP], y, { x: { value: "width" }, color }, { xOffset: -8 }),
      {
        transform: [points],
        mark: {
          type: "point",
          filled: true,
          size: 14,
          opacity: 0.45,
          aria: false,
          tooltip: runTooltip([...value, ...beside]),
        },
        encoding: { x, y, color },
      },
      {
        transform: [points, ONE_A_GROUP],
        mark: { type: "point", filled: true, size: 65, opacity: 1, ...means },
        encoding: { x, y: meanY, color, shape },
      },
    ],
  }, { field: "measure", order: MEASURES, x: "shared", y: "independent" });
}

/** Where a value stands on its axis. */
function placeOf({ values, scale }: AxisView, i: number): number {
  const value = values[i]!;
  return typeof value !== "number" || scale === "words"
    ? i
    : scale === "log"
    ? short(Math.log2(value))
    : value;
}

/** A number as axes have it. */
function tellNumber(value: AxisView["values"][number]): string {
  return typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential()
    : tellValue(value);
}

function rowsOf(cell: AxisCell, axis: AxisView) {
  const { value, grid, learningRate } = cell;
  const told = value === null ? "—" : tellValue(value);
  const i = axis.values.findIndex((one) => tellValue(one) === told);
  return grid.flatMap((atRate) =>
    atRate.runs.map((run) => ({
      task: cell.task.id,
      method: cell.method,
      line: cell.series.label,
      rank: cell.rank,
      seed: run.config.seed,
      rate: atRate.learningRate,
      best: atRate.learningRate === learningRate,
      run: run.id,
      place: i < 0 ? null : placeOf(axis, i),
      told,
      ...measuresOf(run),
    }))
  );
}

function measuresOf(run: DoneRun): { readonly measure: string[]; readonly value: number[] } {
  const { discrepancies, score } = run.outcome, loss = finalValidationLoss(run);
  const far = discrepancies.length > 0 ? mean(discrepancies.map((one) => one.gradientError)) : null;
  const known = [score, loss, far].flatMap((value, i) =>
    value === null ? [] : [{ measure: MEASURES[i]!, value: short(value) }]
  );
  return { measure: known.map(({ measure }) => measure), value: known.map(({ value }) => value) };
}
