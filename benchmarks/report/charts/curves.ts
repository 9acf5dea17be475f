/** @file Curves over training: each run faint, their mean strong, panels by rank or, of many methods, by method. */
import type { Discrepancy, Point } from "../../../training/run.ts";
import { mean } from "../../statistics.ts";
import type { Study, VegaLiteSpec } from "../report.ts";
import type { RunRow } from "./filters.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP, runTooltip } from "./means.ts";
import {
  extentOf,
  GREY,
  grid,
  inRankPanels,
  methodPanels,
  MOST_CURVES,
  OWN,
  rankColumns,
  reference,
  sameExtent,
} from "./panels.ts";
import { dashOf, methodOrder, methodScales, RANK_NAME, rankColor } from "./scales.ts";

/** Most points of a curve: more are not seen, and a thousand runs have to fit a page. */
const MOST_POINTS = 40;

/** A curve as a row has it: parallel lists. */
export interface Curve {
  readonly step: readonly number[];
  readonly value: readonly number[];
  /** What `value` can't be below; null where nobody knows. */
  readonly bound?: readonly (number | null)[];
}

/** How curves are drawn. */
export interface Curves {
  readonly title: string;
  readonly subtitle?: string;
  readonly rows: readonly (RunRow & Curve)[];
  readonly x: { readonly title: string; readonly logarithmic?: boolean };
  /** Transforms that give each point the field "x"; where absent it is the step. */
  readonly place?: readonly object[];
  /** Title of the y axis, which is logarithmic. */
  readonly y: string;
}

/** The whole chart; null without rows. */
export function drawCurves(study: Study, curves: Curves): VegaLiteSpec | null {
  const { rows, place = [{ calculate: "datum.step", as: "x" }] } = curves;
  if (rows.length === 0) return null;
  const bounded = rows.some(({ bound }) => bound !== undefined);
  const several = rows.some(({ seed }) => seed !== rows[0]!.seed);
  const transform = [
    { flatten: bounded ? ["step", "value", "bound"] : ["step", "value"] },
    ...place,
    ...extentOf(bounded ? ["value", "bound"] : ["value"]),
    { calculate: RANK_NAME, as: "rankName" },
    ...meansOverRuns(bounded ? ["x", "value", "bound"] : ["x", "value"], [...GROUP, "step"]),
  ];
  const x = {
    field: "x",
    type: "quantitative",
    title: curves.x.title,
    axis: { grid: false, tickCount: 5, format: "~s", labelOverlap: true },
    scale: curves.x.logarithmic ? { type: "log", nice: false, padding: 10 } : { zero: false, nice: false },
  };
  const y = {
    field: "value",
    type: "quantitative",
    title: curves.y,
    scale: { type: "log", nice: false, padding: 10 },
    axis: { tickCount: 5, format: "~g", labelOverlap: true },
  };
  const meanX = { ...x, field: "xMean" }, meanY = { ...y, field: "valueMean" };
  const detail = [{ field: "rate" }, { field: "rankName" }];
  const value = { heading: curves.y, field: "value" }, bound = { heading: "Least possible", field: "bound" };
  /** The layers of one kind of curve: where it is, and how it tells whose it is. */
  const layersOf = (where: readonly object[], look: object, dash: object, shape: object, size: number) => [
    ...several
      ? [{
        transform: where,
        mark: { type: "line", strokeWidth: 1, opacity: 0.35, aria: false, tooltip: runTooltip([value]) },
        encoding: { x, y, ...look, detail: { field: "run" } },
      }]
      : [],
    ...bounded
      ? [{
        transform: [...where, ONE_A_GROUP, { filter: "isValid(datum.boundMean)" }],
        mark: { type: "line", strokeWidth: 1.5, strokeDash: [3, 3], aria: false },
        encoding: { x: meanX, y: { ...y, field: "boundMean" }, ...look, detail },
      }]
      : [],
    {
      transform: [...where, ONE_A_GROUP],
      mark: { type: "line", strokeWidth: 2, aria: false, ...bounded ? {} : dash },
      encoding: { x: meanX, y: meanY, ...look, detail },
    },
    {
      transform: [...where, ONE_A_GROUP],
      mark: {
        type: "point",
        filled: true,
        opacity: 1,
        size,
        aria: false,
        tooltip: meansTooltip([value, ...bounded ? [bound] : []], [
          { heading: "Step", field: "step", format: "d" },
        ]),
      },
      encoding: { x: meanX, y: meanY, ...look, ...shape, detail },
    },
  ];
  if (methodOrder(study, rows).length > MOST_CURVES) {
    return methodPanels(study, {
      ...curves,
      transform,
      layer: [
        sameExtent(y),
        {
          transform: [reference(study), ONE_A_GROUP],
          mark: { type: "line", strokeWidth: 1.5, color: GREY, aria: false },
          encoding: { x: meanX, y: meanY, detail },
        },
        ...layersOf([OWN], { color: rankColor(study, rows) }, {}, {}, 18),
      ],
    });
  }
  const { color, shape } = methodScales(study, rows);
  const layer = [sameExtent(y), ...layersOf([], { color }, dashOf(study), { shape }, 40)];
  return grid(
    study,
    { ...curves, transform: [...transform, ...inRankPanels(study)], layer },
    rankColumns(study),
  );
}

/** A curve with no more points than are seen, the first and the last among them, and digits that are seen. */
export function thinned(points: readonly Point[]): Curve {
  const kept = thin(points);
  return { step: kept.map(({ step }) => step), value: kept.map(({ value }) => short(value)) };
}

/** Evenly spaced items, the first and the last among them. The same of all lists of one length. */
export function thin<T>(items: readonly T[]): readonly T[] {
  if (items.length <= MOST_POINTS) return items;
  return Array.from(
    { length: MOST_POINTS },
    (_, i) => items[Math.round(i * (items.length - 1) / (MOST_POINTS - 1))]!,
  );
}

/** Digits that a chart can show. */
export function short(value: number): number {
  return Number(value.toPrecision(4));
}

/**
 * A discrepancy of no more is rounding, and has no place on a logarithmic axis: full fine-tuning has it, and a rank as
 * large as the weight.
 */
export const EXACT = 1e-4;

/** Mean of a number over the sites that have it, by a key of the measurement, in the order of first appearance. */
export function meansBy<K>(
  found: readonly Discrepancy[],
  keyOf: (one: Discrepancy) => K,
  read: (one: Discrepancy) => number | null | undefined,
): Map<K, number> {
  const means = new Map<K, number>();
  for (const [key, ones] of Map.groupBy(found, keyOf)) {
    const numbers = ones.map(read).filter((value) => value !== null && value !== undefined);
    if (numbers.length > 0) means.set(key, mean(numbers));
  }
  return means;
}
