/** @file What the charts of one measurement over training share. */
import type { Discrepancy } from "../../../training/run.ts";
import type { Study, VegaLiteSpec } from "../report.ts";
import { methodScales, taskRows } from "../styles.ts";
import { meanCurve, overSites, panelOrder, panelsOf } from "./by_step.ts";
import { GREY, methodPanels, MOST_CURVES, own, rankColor, reference } from "./method_panels.ts";

/** One number of a measurement, and how its axis looks. */
export interface MeasuredNumber {
  readonly title: string;
  /** Title of the y axis. */
  readonly axis: string;
  /** True where the first steps matter most. */
  readonly logarithmicSteps?: boolean;
  /** Null or absent where it was not measured. Numbers of 0 and less have no place on the logarithmic axis. */
  read(one: Discrepancy): number | null | undefined;
}

/**
 * A measurement by step, mean over sites and seeds: a line a method, panels by rank; of many methods each has a panel.
 * Null where nothing was measured.
 */
export function measuredByStep(study: Study, number: MeasuredNumber): VegaLiteSpec | null {
  const curves = study.cells.map((cell) => ({
    cell,
    points: meanCurve(
      cell.runs.map((run) => overSites(run.outcome.discrepancies, (one) => number.read(one) ?? null)),
    ).filter(({ value }) => value > 0),
  })).filter(({ points }) => points.length > 0);
  if (curves.length === 0) return null;
  const methods = new Set(curves.map(({ cell }) => cell.method.label));
  const x = {
    field: "step",
    type: "quantitative",
    title: "Step",
    axis: { grid: false, tickCount: 5, format: "d", labelOverlap: true },
    ...number.logarithmicSteps && { scale: { type: "log", nice: false, padding: 10 } },
  };
  const y = {
    field: "value",
    type: "quantitative",
    title: number.axis,
    scale: { type: "log", nice: false, padding: 10 },
    axis: { tickCount: 5, format: "~g" },
  };
  const values = curves.flatMap(({ cell, points }) =>
    points.map((point) => ({ ...point, task: cell.task.id, method: cell.method.label, rank: cell.rank }))
  );
  if (methods.size > MOST_CURVES) {
    return methodPanels(study, number.title, values, [
      {
        ...reference,
        mark: { type: "line", strokeWidth: 1.5, color: GREY },
        encoding: { x, y, detail: { field: "series" } },
      },
      {
        ...own,
        mark: { type: "line", strokeWidth: 2, point: { filled: true, size: 24 } },
        encoding: { x, y, color: rankColor(study, values) },
      },
    ]);
  }
  const { color, shape, strokeDash } = methodScales(study, methods);
  const placed = curves.flatMap(({ cell, points }) =>
    panelsOf(study, cell).flatMap((column) =>
      points.map((point) => ({ ...point, task: cell.task.id, method: cell.method.label, column }))
    )
  );
  return taskRows(study, number.title, placed, { order: panelOrder(study), sharedX: true }, [
    { mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color, strokeDash } },
    { mark: { type: "point", filled: true, size: 50, opacity: 1 }, encoding: { x, y, color, shape } },
  ]);
}
