/** @file What the charts of one measurement over training share. */
import type { Discrepancy } from "../../../training/run.ts";
import type { Study } from "../../study/study.ts";
import { drawCurves, meansBy, thinned } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import type { Drawing } from "../drawing/lay_out.ts";

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

/** A measurement by step, mean over target modules. Null where nothing was measured. */
export function measuredByStep(study: Study, number: MeasuredNumber): Drawing | null {
  return drawCurves(study, {
    title: number.title,
    rows: runRows(study, ({ outcome: { discrepancies } }) => {
      const means = meansBy(discrepancies, ({ step }) => step, (one) => number.read(one));
      const points = [...means].map(([step, value]) => ({ step, value })).filter(({ value }) => value > 0);
      return points.length === 0 ? null : thinned(points);
    }),
    x: { title: "Step", ...number.logarithmicSteps && { scale: { type: "log", padding: 10 } } },
    y: { title: number.axis },
  });
}
