/** @file Curves over training: each run faint, their mean strong, panels by rank or, of many methods, by method. */
import type { Discrepancy, Point } from "../../../training/run.ts";
import { mean } from "../../statistics/statistics.ts";
import type { Study } from "../../study/study.ts";
import type { RunRow } from "./filters.ts";
import type { RatesShown } from "./lay_out.ts";
import type { Drawing } from "./lay_out.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP, runTooltip } from "./means.ts";
import {
  extentOf,
  GREY,
  grid,
  lowTitle,
  methodPanels,
  MOST_CURVES,
  OWN,
  rankColumns,
  reference,
  sameExtent,
} from "./panels.ts";
import { dashOf, methodOrder, methodScales, NUMBERS, rankColor, rankName } from "./scales.ts";

/** Most points of a curve: more are not seen, and a thousand runs have to fit a page. */
const MOST_POINTS = 40;

/** A curve as a row has it: parallel lists. */
export interface Curve {
  readonly step: readonly number[];
  /** Null where there is none, e.g. of a run that diverged. */
  readonly value: readonly (number | null)[];
  /** What `value` can't be below; null where nobody knows. */
  readonly bound?: readonly (number | null)[];
}

/** How curves are drawn. */
export interface Curves {
  readonly title: string;
  readonly subtitle?: string;
  readonly rows: readonly (Omit<RunRow, "run"> & { readonly run?: string } & Curve)[];
  readonly rates?: RatesShown;
  /** The x axis: what else it has than others, its scale included. */
  readonly x: { readonly title: string; readonly axis?: object; readonly scale?: object };
  /** Transforms that give each point the field "x"; where absent it is `step`. */
  readonly place?: readonly object[];
  readonly y: { readonly title: string; readonly scale?: object };
  /** True where a line joins different rates, instead of being about one. */
  readonly joinsRates?: boolean;
  /** Further layers, given the channels of means and the filters and colour of what is not the reference. */
  readonly more?: (x: object, y: object, where: readonly object[], look: object) => readonly object[];
}

/** The whole chart; null without a value. */
export function drawCurves(study: Study, curves: Curves): Drawing | null {
  const rows = curves.rows.map((row) => ({ ...row, rankName: rankName(row.rank) }));
  const { place = [{ calculate: "datum.step", as: "x" }], more = () => [] } = curves;
  if (!rows.some(({ value }) => value.some((one) => one !== null))) return null;
  const bounded = rows.some(({ bound }) => bound !== undefined);
  const byMethod = methodOrder(study, rows).length > MOST_CURVES;
  const several = rows.some(({ seed }) => seed !== rows[0]!.seed);
  const transform = [
    { flatten: bounded ? ["step", "value", "bound"] : ["step", "value"] },
    ...place,
    ...extentOf(bounded ? ["value", "bound"] : ["value"]),
    ...meansOverRuns(bounded ? ["x", "value", "bound"] : ["x", "value"], [...GROUP, "step"]),
  ];
  const x = {
    field: "x",
    type: "quantitative",
    title: curves.x.title,
    axis: { grid: false, tickCount: 5, ...NUMBERS, labelOverlap: true, ...curves.x.axis },
    scale: { nice: false, ...curves.x.scale ?? { zero: false } },
  };
  const y = {
    field: "value",
    type: "quantitative",
    title: byMethod ? lowTitle(curves.y.title) : curves.y.title,
    scale: { type: "log", nice: false, padding: PADDING, ...curves.y.scale },
    axis: { tickCount: 5, ...NUMBERS, labelOverlap: true },
  };
  const meanX = { ...x, field: "xMean" }, meanY = { ...y, field: "valueMean" };
  const means = [ONE_A_GROUP, { filter: "isValid(datum.valueMean)" }];
  const detail = [{ field: "rankName" }, ...curves.joinsRates ? [] : [{ field: "rate" }]];
  const value = { heading: curves.y.title, field: "value" };
  const bound = { heading: "Least possible", field: "bound" };
  const at = { heading: curves.x.title, field: "xMean" };
  /** The layers of what is not the reference: where it is, and how marks tell whose they are. */
  const layersOf = (where: readonly object[], look: object, dash: object, shape: object, size: number) => [
    ...several
      ? [{
        transform: where,
        mark: curves.joinsRates
          ? {
            type: "point",
            filled: true,
            size: 12,
            opacity: 0.45,
            aria: false,
            tooltip: runTooltip([value]),
          }
          : { type: "line", strokeWidth: 1, opacity: 0.35, aria: false, tooltip: runTooltip([value]) },
        encoding: { x, y, ...look, detail: { field: "run" } },
      }]
      : [],
    ...bounded
      ? [{
        transform: [...where, ...means, { filter: "isValid(datum.boundMean)" }],
        mark: { type: "line", strokeWidth: 1.5, strokeDash: [3, 3], aria: false, tooltip: null },
        encoding: { x: meanX, y: { ...y, field: "boundMean" }, ...look, detail },
      }]
      : [],
    {
      transform: [...where, ...means],
      mark: { type: "line", strokeWidth: 2, aria: false, tooltip: null, ...bounded ? {} : dash },
      encoding: { x: meanX, y: meanY, ...look, detail },
    },
    {
      transform: [...where, ...means],
      mark: {
        type: "point",
        filled: true,
        opacity: 1,
        size,
        aria: false,
        tooltip: meansTooltip([value, ...bounded ? [bound] : []], [at]),
      },
      encoding: { x: meanX, y: meanY, ...look, ...shape, detail },
    },
    ...more(meanX, meanY, where, look),
  ];
  if (byMethod) {
    return methodPanels(study, {
      ...curves,
      rows,
      transform,
      layer: [
        sameExtent(y),
        {
          transform: [reference(study), ...means],
          mark: { type: "line", strokeWidth: 1.5, color: GREY, aria: false, tooltip: null },
          encoding: { x: meanX, y: meanY, detail },
        },
        ...layersOf([OWN], { color: rankColor(study, rows) }, {}, {}, 18),
      ],
    });
  }
  const { color, shape } = methodScales(study, rows);
  const unnamed = { ...color, legend: null };
  const isLog = (y.scale as { readonly type?: string }).type === "log";
  const labelled = names({ x: meanX, log: isLog, color: unnamed });
  const layer = [
    sameExtent(y),
    ...layersOf([], { color: unnamed }, dashOf(study), { shape: { ...shape, legend: null } }, 40),
    labelled,
  ];
  return grid(study, { ...curves, rows, transform, layer, height: HEIGHT }, rankColumns(study));
}

/** Pixels of a panel, above and below all values, and of a line of text in it. */
const HEIGHT = 220, PADDING = 10, LINE = 13;

/**
 * A layer that names each method behind the end of its line, where a legend would make readers match colours. Names that
 * would lie on each other move down, in the order of their lines.
 */
function names(
  { x, log, color }: { readonly x: object; readonly log: boolean; readonly color: object },
): object {
  const panel = ["task", "rankName"], read = (value: string) => log ? `log(${value})` : value;
  return {
    transform: [
      ONE_A_GROUP,
      { filter: "isValid(datum.valueMean)" },
      // A method without a rank is in each panel, at one rate or several.
      { joinaggregate: [{ op: "max", field: "xMean", as: "lastX" }], groupby: [...panel, "method"] },
      { filter: "datum.xMean === datum.lastX" },
      { window: [{ op: "row_number", as: "again" }], groupby: ["panel", "task", "method"] },
      { filter: "datum.again === 1" },
      {
        calculate: `${PADDING} + ${HEIGHT - 2 * PADDING} * (1 - (${read("datum.valueMean")} - ${
          read("datum.least")
        }) / max(1e-9, ${read("datum.most")} - ${read("datum.least")}))`,
        as: "wanted",
      },
      {
        window: [{ op: "row_number", as: "line" }],
        sort: [{ field: "wanted", order: "ascending" }],
        groupby: ["panel", "task"],
      },
      { calculate: `datum.wanted - ${LINE} * datum.line`, as: "slack" },
      {
        window: [{ op: "max", field: "slack", as: "pushed" }],
        sort: [{ field: "wanted", order: "ascending" }],
        groupby: ["panel", "task"],
        frame: [null, 0],
      },
      { calculate: `datum.pushed + ${LINE} * datum.line`, as: "labelY" },
    ],
    mark: {
      type: "text",
      align: "left",
      baseline: "middle",
      dx: 7,
      fontSize: 12,
      y: { expr: "datum.labelY" },
      aria: false,
      tooltip: null,
    },
    encoding: { x, text: { field: "method", type: "nominal" }, color },
  };
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

/** Mean of a number over the target modules that have it, by a key of the measurement, in the order of first appearance. */
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
