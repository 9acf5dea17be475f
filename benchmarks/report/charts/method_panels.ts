/** @file What the charts of many methods share: a panel for each, LoRA's curves behind in grey. */
import type { MethodLabel, Study, VegaLiteSpec } from "../report.ts";
import { theme } from "../styles.ts";

/** So many curves can be followed in one panel. */
export const MOST_CURVES = 6;
const NO_RANK = "no rank";

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
  const longest = Math.max(...methods.flatMap((label) => label.split(" (").map((line) => line.length)));
  const { columns, width } = LAYOUTS.find((layout) => longest <= layout.longest)!;
  const drawn = values.flatMap((value) => {
    const series = value.rank === null ? NO_RANK : `rank ${value.rank}`;
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
        header: {
          labelFontSize: 11,
          labelPadding: 4,
          // What describes a method goes on a second line.
          labelExpr: "split(replace(datum.label, ' (', '\\n('), '\\n')",
        },
      },
      columns,
      // Panels lie by their own sizes: the guessed width of a heading would push them apart.
      bounds: "flush",
      spacing: { row: 44, column: 24 },
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

/** Curves of other ranks by colour, light for small ones: the same in all charts. The legend has those that are drawn. */
export function rankColor(
  study: Study,
  drawn: readonly { readonly rank: number | null }[] = study.cells,
) {
  const domain = [
    ...(study.cells.some(({ rank }) => rank === null) ? [NO_RANK] : []),
    ...study.ranks.map((rank) => `rank ${rank}`),
  ];
  return {
    field: "series",
    type: "ordinal",
    sort: domain,
    scale: { domain, scheme: "viridis", reverse: true },
    legend: {
      orient: "bottom",
      title: null,
      symbolOpacity: 1,
      values: drawn.some(({ rank }) => rank === null) ? domain : domain.filter((name) => name !== NO_RANK),
    },
  };
}
