/** @file How reports look: one colour, shape and dash for each method, safe for colour-blind eyes. */
import type { MethodLabel, Study, VegaLiteSpec } from "./report.ts";

type Style = Pick<MethodLabel, "color" | "shape" | "dash">;

/** Shapes beyond Vega's own, as SVG paths: its further ones are too thin to see. */
const PATHS = {
  star: "M0,-1L0.29,-0.4L0.95,-0.31L0.48,0.15L0.59,0.81L0,0.5L-0.59,0.81L-0.48,0.15L-0.95,-0.31L-0.29,-0.4Z",
  saltire: "M-0.7,-1L0,-0.3L0.7,-1L1,-0.7L0.3,0L1,0.7L0.7,1L0,0.3L-0.7,1L-1,0.7L-0.3,0L-1,-0.7Z",
  ring: "M-1,0A1,1,0,1,0,1,0A1,1,0,1,0,-1,0M-0.5,0A0.5,0.5,0,1,1,0.5,0A0.5,0.5,0,1,1,-0.5,0",
  hourglass: "M-0.9,-1L0.9,-1L-0.9,1L0.9,1Z",
  bowTie: "M-1,-0.9L-1,0.9L1,-0.9L1,0.9Z",
  bar: "M-0.4,-1.1L0.4,-1.1L0.4,1.1L-0.4,1.1Z",
  flatBar: "M-1.1,-0.4L1.1,-0.4L1.1,0.4L-1.1,0.4Z",
};

/**
 * Colours of Okabe and Ito (2008), yellow darkened so that it can be seen on white, and for the methods beyond the
 * paper's those of Tol's muted scheme (2021): with shape and dash no two methods look alike.
 */
const styles: Readonly<Record<string, Style>> = {
  full: { color: "#444444", shape: "cross", dash: [1, 0] },
  lora: { color: "#0072B2", shape: "circle", dash: [1, 0] },
  "lora-ga": { color: "#D55E00", shape: "square", dash: [7, 3] },
  "lora-pro": { color: "#009E73", shape: "triangle-up", dash: [4, 2] },
  rslora: { color: "#56B4E9", shape: "diamond", dash: [2, 2] },
  "lora-plus": { color: "#CC79A7", shape: "triangle-down", dash: [8, 2, 2, 2] },
  pissa: { color: "#E69F00", shape: "triangle-right", dash: [10, 4] },
  dora: { color: "#8F8300", shape: "triangle-left", dash: [5, 5] },
  adalora: { color: "#7B3294", shape: PATHS.star, dash: [1, 2] },
  "lora-ga-pro": { color: "#882255", shape: PATHS.saltire, dash: [6, 2] },
  "lora-fa": { color: "#44AA99", shape: PATHS.flatBar, dash: [3, 3] },
  "scaled-adamw": { color: "#332288", shape: PATHS.ring, dash: [9, 3] },
  "lora-rite": { color: "#AA4499", shape: PATHS.hourglass, dash: [4, 4] },
  "lora-one": { color: "#661100", shape: PATHS.bar, dash: [2, 3] },
  altlora: { color: "#117733", shape: PATHS.bowTie, dash: [12, 3] },
};

/** The first so many of `styles` have Okabe and Ito's colours. */
const EASILY_TOLD = 9;

/** The style of a method's first variant is its own; further variants and unknown methods take what is free. */
export function styleOf(optimizer: string, taken: readonly Style[]): Style {
  const free = (style: Style) => !taken.some((other) => other.color === style.color);
  const own = styles[optimizer];
  if (own && free(own)) return own;
  const known = Object.values(styles);
  // The last of the easily told apart first, since the first ones' own methods are in most sweeps.
  const others = [...known.slice(0, EASILY_TOLD).toReversed(), ...known.slice(EASILY_TOLD)];
  return others.find(free) ?? { color: "#999999", shape: "circle", dash: [3, 3] };
}

/** The part of a Vega-Lite specification that all charts share. */
export const theme = {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: "white",
  padding: 8,
  config: {
    font: "sans-serif",
    view: { stroke: "#dddddd" },
    axis: {
      labelFontSize: 12,
      titleFontSize: 13,
      titleFontWeight: "normal",
      gridColor: "#eeeeee",
      labelColor: "#333333",
    },
    legend: { labelFontSize: 13, titleFontSize: 13, symbolSize: 90, labelLimit: 480 },
    header: { labelFontSize: 14, labelFontWeight: "bold", titleFontSize: 13 },
    title: { fontSize: 16, anchor: "start", offset: 12 },
  },
} as const;

/** Characters of a label of which four side by side are wider than a chart. */
const LONG_LABEL = 30;

/** Scale domain and ranges that give every method its own look. The domain is the methods that a chart shows. */
export function methodScales(study: Study, shown: ReadonlySet<string>) {
  const methods = study.methods.filter((method) => shown.has(method.label));
  const domain = methods.map((method) => method.label);
  const columns = domain.some((label) => label.length > LONG_LABEL) ? 2 : 4;
  const legend = { orient: "bottom", title: null, columns, symbolOpacity: 1, symbolStrokeWidth: 0.5 };
  return {
    color: {
      field: "method",
      type: "nominal",
      scale: { domain, range: methods.map(({ color }) => color) },
      legend,
    },
    shape: {
      field: "method",
      type: "nominal",
      scale: { domain, range: methods.map(({ shape }) => shape) },
      legend,
    },
    // The legend shows colours and shapes; a third mark in it would only make it harder to read.
    strokeDash: {
      field: "method",
      type: "nominal",
      scale: { domain, range: methods.map(({ dash }) => dash) },
      legend: null,
    },
  };
}

/** A row of panels. */
export interface PanelRow {
  readonly id: string;
  readonly title: string;
}

/** Panels side by side: their order, and whether they share their x axis. */
export interface PanelColumns {
  readonly order: readonly string[];
  readonly header?: unknown;
  readonly sharedX: boolean;
}

/** Pixels of a panel, where they are not the usual ones. */
export interface PanelSize {
  readonly width?: number;
  readonly height?: number;
}

/** One row a task, one column for each value of the field "column"; values need the field "task" too. */
export function taskRows(
  study: Study,
  title: string,
  values: readonly { readonly task: string }[],
  columns: PanelColumns,
  layer: readonly unknown[],
  size: PanelSize = {},
): VegaLiteSpec {
  const rows = study.tasks.filter((task) => values.some((value) => value.task === task.id));
  return panelRows(title, rows, values.map((value) => ({ ...value, row: value.task })), columns, layer, size);
}

/**
 * One row of panels for each of `rows`, one column for each value of the field "column"; values need the field "row" too.
 * The rows are charts of their own, so that panels side by side share their y axis and rows don't.
 */
export function panelRows(
  title: string,
  rows: readonly PanelRow[],
  values: readonly { readonly row: string }[],
  columns: PanelColumns,
  layer: readonly unknown[],
  size: PanelSize = {},
): VegaLiteSpec {
  const { width = widthFor(columns.order.length), height = 220 } = size;
  return {
    ...theme,
    title,
    vconcat: rows.map((row) => ({
      title: { text: row.title, fontSize: 14, anchor: "middle" },
      data: { values: values.filter((value) => value.row === row.id) },
      facet: {
        column: {
          field: "column",
          type: "nominal",
          title: null,
          sort: columns.order,
          header: columns.header ?? {},
        },
      },
      resolve: { scale: { x: columns.sharedX ? "shared" : "independent", y: "shared" } },
      spec: { width, height, layer },
    })),
  };
}

/** Panels side by side are narrower where there are many: pages shrink what is wide, letters and all. */
function widthFor(columns: number): number {
  return columns <= 2 ? 400 : columns === 3 ? 300 : 230;
}
