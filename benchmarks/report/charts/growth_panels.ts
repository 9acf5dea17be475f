/** @file What the charts of growth share: a panel for each axis, measured points and fitted lines. */
import { AXES, type Axis, type CurvePoint, type GrowthPoint } from "../../growth/points.ts";
import type { MethodGrowth, Study, VegaLiteSpec } from "../report.ts";
import { methodScales, theme } from "../styles.ts";

const titles: Readonly<Record<Axis, string>> = {
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

/** Two panels a row, logarithmic both ways, the same y axis in all panels of a task. Null where nothing varies. */
export function growthPanels(study: Study, grown: Grown): VegaLiteSpec | null {
  const tasks = study.growth.map(({ task, methods }) => ({
    title: task.title,
    panels: AXES.flatMap((axis) => {
      const points = methods.flatMap(({ method, points }) =>
        points.filter(({ axes }) => axes.includes(axis)).map((point) => ({
          kind: "measured",
          method: method.label,
          size: point.size[axis]!,
          value: grown.measured(point),
        }))
      );
      const curves = methods.flatMap((line) =>
        line.curves.filter((point) => point.axis === axis).flatMap((point) => {
          const value = grown.fitted(line, point);
          return value === null || value <= 0
            ? []
            : [{ kind: "fitted", method: line.method.label, size: point.at, value }];
        })
      );
      const sizes = [...new Set(points.map(({ size }) => size))].sort((a, b) => a - b);
      return sizes.length > 1 ? [{ axis, sizes, values: [...curves, ...points] }] : [];
    }),
  })).filter(({ panels }) => panels.length > 0);
  if (tasks.length === 0) return null;
  const shown = new Set(
    tasks.flatMap(({ panels }) => panels.flatMap(({ values }) => values.map((one) => one.method))),
  );
  const scales = methodScales(study, shown);
  return {
    ...theme,
    title: { text: grown.title, subtitle: "Points are measured, lines are the fitted model" },
    vconcat: tasks.map(({ title, panels }) => ({
      title: { text: title, fontSize: 14, anchor: "middle" },
      columns: 2,
      concat: panels.map(({ axis, sizes, values }) =>
        panel(axis, sizes, values, domainOf(panels), grown.unit, scales)
      ),
    })),
    resolve: { scale: { color: "shared", shape: "shared", strokeDash: "shared" } },
  };
}

interface Value {
  readonly kind: string;
  readonly method: string;
  readonly size: number;
  readonly value: number;
}

function panel(
  axis: Axis,
  sizes: readonly number[],
  values: readonly Value[],
  domain: readonly number[],
  unit: string,
  { color, shape, strokeDash }: ReturnType<typeof methodScales>,
): unknown {
  const x = {
    field: "size",
    type: "quantitative",
    title: titles[axis],
    scale: { type: "log", nice: false, padding: 14 },
    axis: { grid: false, values: sizes, format: "d", labelOverlap: true },
  };
  const y = {
    field: "value",
    type: "quantitative",
    title: unit,
    scale: { type: "log", nice: false, domain },
    axis: { tickCount: 5, format: "~g", labelOverlap: true },
  };
  const only = (kind: string) => [{ filter: `datum.kind === '${kind}'` }];
  return {
    width: 380,
    height: 230,
    data: { values },
    layer: [
      {
        transform: only("fitted"),
        mark: { type: "line", strokeWidth: 2, clip: true },
        encoding: { x, y, color, strokeDash },
      },
      {
        transform: only("measured"),
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: { x, y, color, shape },
      },
    ],
  };
}

/** From below the smallest to above the largest measured value of all panels. */
function domainOf(panels: readonly { readonly values: readonly Value[] }[]): [number, number] {
  const measured = panels.flatMap(({ values }) => values.filter(({ kind }) => kind === "measured"))
    .map(({ value }) => value);
  return [Math.min(...measured) / 1.3, Math.max(...measured) * 1.3];
}
