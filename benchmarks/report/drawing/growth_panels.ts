/** @file What the charts of growth share: a panel for each axis, measured points and fitted lines. */
import { AXES, type Axis, type CurvePoint, type GrowthPoint } from "../../cost/growth/points.ts";
import type { MethodGrowth, Study } from "../../study/study.ts";
import { short } from "./curves.ts";
import type { Drawing } from "./lay_out.ts";
import { extentOf, grid, sameExtent } from "./panels.ts";
import { dashOf, methodScales, NUMBERS } from "./scales.ts";

const TITLES: Readonly<Record<Axis, string>> = {
  tokens: "Tokens a step",
  width: "Width",
  layers: "Layers",
  rank: "Rank",
};

/** What a chart of growth shows. */
export interface Grown {
  readonly title: string;
  /** Of the y axis. */
  readonly unit: string;
  readonly measured: (point: GrowthPoint) => number;
  /** Null where nothing was fitted. */
  readonly fitted: (line: MethodGrowth, point: CurvePoint) => number | null;
}

/** A row of panels a task, logarithmic both ways, the same y axis in all of them. Null where nothing varies. */
export function growthPanels(study: Study, grown: Grown): Drawing | null {
  const rows = study.growth.flatMap(({ task, methods }) =>
    AXES.flatMap((axis) => {
      const points = methods.flatMap(({ method, points }) =>
        points.filter(({ axes }) => axes.includes(axis)).map((point) => ({
          kind: "measured",
          method: method.label,
          size: point.size[axis]!,
          value: short(grown.measured(point)),
          // Where rank is what varies, a choice of ranks is a choice of points.
          ...axis === "rank" && { rank: point.size.rank },
        }))
      );
      if (new Set(points.map(({ size }) => size)).size < 2) return [];
      const curves = methods.flatMap((line) =>
        line.curves.filter((point) => point.axis === axis).flatMap((point) => {
          const value = grown.fitted(line, point);
          if (value === null || value <= 0) return [];
          return [{ kind: "fitted", method: line.method.label, size: point.at, value: short(value) }];
        })
      );
      return [...curves, ...points].map((row) => ({ task: task.id, axis: TITLES[axis], ...row }));
    })
  );
  if (rows.length === 0) return null;
  const { color, shape } = methodScales(study, rows);
  const x = {
    field: "size",
    type: "quantitative",
    title: null,
    scale: { type: "log", base: 2, nice: false, padding: 14 },
    axis: { grid: false, ...NUMBERS, labelOverlap: true },
  };
  const y = {
    field: "value",
    type: "quantitative",
    title: grown.unit,
    scale: { type: "log", nice: false, padding: 10 },
    axis: { tickCount: 5, ...NUMBERS, labelOverlap: true },
  };
  const numbers = ["Task", "Method", "Size", grown.unit].map((heading, i) =>
    `${JSON.stringify(heading)}: datum.${["task", "method", "size", "value"][i]}`
  );
  return grid(study, {
    title: grown.title,
    subtitle: "Points are measured, medians over seeds; lines are the fitted model",
    rows,
    transform: [
      { calculate: "datum.kind === 'measured' ? datum.value : null", as: "measured" },
      // Of a line no more than what lies near the measured values.
      ...extentOf(["measured"]),
      { calculate: "datum.least / 1.3", as: "least" },
      { calculate: "datum.most * 1.3", as: "most" },
      { filter: "datum.value >= datum.least && datum.value <= datum.most" },
    ],
    layer: [
      sameExtent(y),
      {
        transform: [{ filter: "datum.kind === 'fitted'" }],
        mark: { type: "line", strokeWidth: 2, aria: false, tooltip: null, ...dashOf(study) },
        encoding: { x, y, color },
      },
      {
        transform: [{ filter: "datum.kind === 'measured'" }],
        mark: {
          type: "point",
          filled: true,
          size: 70,
          opacity: 1,
          aria: false,
          tooltip: { expr: `{${numbers.join(", ")}}` },
        },
        encoding: { x, y, color, shape },
      },
    ],
  }, {
    field: "axis",
    order: AXES.map((axis) => TITLES[axis]).filter((title) => rows.some(({ axis }) => axis === title)),
    orient: "bottom",
    x: "independent",
  });
}
