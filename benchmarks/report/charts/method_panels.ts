/** @file What the charts of many methods share: a panel for each, LoRA's curves behind in grey. */
import type { MethodLabel, Study, VegaLiteSpec } from "../report.ts";
import { theme } from "../styles.ts";

/** So many curves can be followed in one panel. */
export const MOST_CURVES = 6;

/** Panels of a row and their width in pixels: wide enough for a heading of so many characters. */
const LAYOUTS = [
  { longest: 40, columns: 4, width: 215 },
  { longest: Infinity, columns: 3, width: 300 },
] as const;

/** A point of a curve: one a task, method and rank. */
export interface CurvePoint {
  readonly task: string;
  readonly method: string;
  /** Null for methods without ranks. */
  readonly rank: number | null;
}

/** The method that stands behind all others in grey: LoRA's first variant, where it takes part. */
export function referenceOf(study: Study): MethodLabel | undefined {
  return study.methods.find(({ optimizer }) => optimizer === "lora");
}

/**
 * Rows of panels a task, one panel a method. Layers draw the fields that `values` have, beside "series", which tells
 * curves of other ranks and the reference apart; `own` and `reference` filter for what is drawn how. Layers may differ by
 * task.
 */
export function methodPanels<P extends CurvePoint>(
  study: Study,
  title: string,
  values: readonly P[],
  layers: readonly unknown[] | ((task: string) => readonly unknown[]),
): VegaLiteSpec {
  const reference = referenceOf(study)?.label;
  const methods = study.methods.map(({ label }) => label).filter((label) =>
    values.some(({ method }) => method === label)
  );
  const longest = Math.max(...methods.map((label) => label.length));
  const { columns, width } = LAYOUTS.find((layout) => longest <= layout.longest)!;
  const drawn = values.flatMap((value) => {
    const series = value.rank === null ? "no rank" : `rank ${value.rank}`;
    const behind = value.method === reference
      ? methods.filter((label) => label !== reference).map((panel) => ({
        ...value,
        panel,
        series: `${series}, reference`,
        kind: "reference",
      }))
      : [];
    return [...behind, { ...value, panel: value.method, series, kind: "own" }];
  });
  return {
    ...theme,
    title,
    vconcat: study.tasks.filter(({ id }) => values.some(({ task }) => task === id)).map((task) => ({
      title: { text: task.title, fontSize: 14, anchor: "middle" },
      data: { values: drawn.filter((value) => value.task === task.id) },
      facet: {
        field: "panel",
        type: "nominal",
        title: null,
        sort: methods,
        header: { labelFontSize: 11, labelPadding: 4 },
      },
      columns,
      // Panels lie by their own sizes: the guessed width of a heading would push them apart.
      bounds: "flush",
      spacing: { row: 36, column: 24 },
      spec: { width, height: 130, layer: typeof layers === "function" ? layers(task.id) : layers },
    })),
  };
}

/** Filters of `methodPanels`' layers. */
export const own = { transform: [{ filter: "datum.kind === 'own'" }] };
/** See `own`. */
export const reference = { transform: [{ filter: "datum.kind === 'reference'" }] };
/** How the reference is drawn. */
export const GREY = "#b5b5b5";

/** Curves of other ranks by colour, light for small ones. */
export function rankColor(study: Study) {
  const domain = [
    ...(study.cells.some(({ rank }) => rank === null) ? ["no rank"] : []),
    ...study.ranks.map((rank) => `rank ${rank}`),
  ];
  return {
    field: "series",
    type: "ordinal",
    sort: domain,
    scale: { domain, scheme: "viridis", reverse: true },
    legend: { orient: "bottom", title: null, symbolOpacity: 1 },
  };
}
