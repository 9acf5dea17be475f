/** @file Panels of a chart: a row a task, columns by rank, measure or method, and none for what is not shown. */
import type { Study, VegaLiteSpec } from "../report.ts";
import { theme } from "../styles.ts";
import { filtered, type RatesShown } from "./filters.ts";
import { methodOrder, NO_RANK } from "./scales.ts";

/** Pixels that all panels side by side may take, axes and all. */
const WIDE = 1150;
/** Pixels of a panel's y axis and of the gap before the next panel. */
const AROUND = 72;

/** What a chart is about, before it is laid out. */
export interface Drawing {
  /** The question that it answers. */
  readonly title: string;
  /** What its marks are, in a sentence. */
  readonly subtitle?: string;
  /** Data, with the fields of filters.ts. */
  readonly rows: readonly { readonly task: string; readonly method?: string }[];
  /** Rates that are shown where the reader chose none. */
  readonly rates?: RatesShown;
  /** Follows the filter, before rows are sorted into panels. */
  readonly transform?: readonly object[];
  readonly layer: readonly object[];
  /** Pixels of a panel, or of each value of an axis; where absent, columns share what a page has. */
  readonly width?: number | { readonly step: number };
  readonly height?: number | { readonly step: number };
}

/** Panels side by side: a field and its values in order. */
export interface Columns {
  readonly field: string;
  readonly order: readonly string[];
  readonly x: "shared" | "independent";
  /** "independent" where absent; axes that have a step for each value can be nothing but shared. */
  readonly y?: "shared" | "independent";
  /** Where the columns are named: above the first row, or below the last as names of x axes. */
  readonly orient?: "top" | "bottom";
}

/** A row a task, a column a value of a field; each panel has its own y axis, see `sameExtent`. */
export function grid(study: Study, drawing: Drawing, columns: Columns): VegaLiteSpec {
  return {
    ...sideBySide(drawing, columns),
    // What is written upright has to be no longer than a low panel is high.
    facet: {
      row: taskHeadings(study, typeof drawing.height === "object" ? 12 : 24),
      column: headings(columns),
    },
  };
}

/** One row of panels, for charts that have all tasks in each. */
export function sideBySide(drawing: Drawing, columns: Columns): VegaLiteSpec {
  const { width = widthOf(columns.order.length), height = 220 } = drawing;
  return {
    ...top(drawing),
    facet: { column: headings(columns) },
    resolve: { scale: { x: columns.x, y: columns.y ?? "independent" } },
    spec: { width, height, layer: drawing.layer },
  };
}

function headings({ field, order, orient = "top" }: Columns) {
  return {
    field,
    type: "nominal",
    title: null,
    sort: order,
    header: {
      labelOrient: orient,
      labelFontSize: 13,
      labelFontWeight: orient === "top" ? "bold" : "normal",
    },
  };
}

/** A panel a task, two a row. */
export function taskPanels(study: Study, drawing: Drawing): VegaLiteSpec {
  const { width = 400, height = 280 } = drawing;
  return {
    ...top(drawing),
    facet: taskHeadings(study),
    columns: 2,
    resolve: { scale: { x: "independent", y: "independent" } },
    spec: { width, height, layer: drawing.layer },
  };
}

/**
 * For more methods than one panel can hold: a panel each, a row a method and a column a task, or, of one task, four a row.
 * LoRA's first variant is in all of them, for comparison, and so is what has no method: see `OWN` and `reference`.
 */
export function methodPanels(
  study: Study,
  drawing: Drawing,
): VegaLiteSpec {
  const methods = methodOrder(study, drawing.rows);
  const tasks = study.tasks.filter(({ id }) => drawing.rows.some(({ task }) => task === id));
  const behind = referenceOf(study);
  const whole = {
    ...drawing,
    transform: [
      ...drawing.transform ?? [],
      {
        calculate: `!isValid(datum.method) || datum.method === ${JSON.stringify(behind ?? "")} ? ` +
          `${JSON.stringify(methods)} : [datum.method]`,
        as: "panel",
      },
      { flatten: ["panel"] },
      { filter: "shownMethods === null || indexof(shownMethods, datum.panel) >= 0" },
    ],
  };
  const panel = { field: "panel", type: "nominal", title: null, sort: methods };
  // What describes a method goes on a second line.
  const labelExpr = "split(replace(datum.label, ' (', '\\n('), '\\n')";
  const height = drawing.height ?? 120;
  if (tasks.length === 1) {
    return {
      ...top(whole),
      facet: { ...panel, header: { labelFontSize: 11, labelPadding: 4, labelExpr } },
      columns: 4,
      // Panels lie by their own sizes: the guessed width of a heading would push them apart.
      bounds: "flush",
      spacing: { row: 50, column: 62 },
      resolve: { scale: { x: "shared", y: "independent" } },
      spec: { width: drawing.width ?? 215, height, layer: drawing.layer },
    };
  }
  return {
    ...top(whole),
    facet: {
      row: {
        ...panel,
        header: { labelFontSize: 11, labelLimit: 240, labelExpr },
      },
      column: taskHeadings(study),
    },
    spacing: { row: 14, column: 20 },
    resolve: { scale: { x: "shared", y: "independent" } },
    spec: { width: drawing.width ?? widthOf(tasks.length), height, layer: drawing.layer },
  };
}

/** The method that stands behind all others in grey: LoRA's first variant, where it takes part. */
export function referenceOf(study: Study): string | undefined {
  return study.methods.find(({ optimizer }) => optimizer === "lora")?.label;
}

/** How the reference is drawn. */
export const GREY = "#b5b5b5";

/** A filter for layers of `methodPanels`: what belongs to the panel's method. */
export const OWN = { filter: "datum.panel === datum.method" };

/** A filter for layers of `methodPanels`: the method of `referenceOf`, in its own panel too. */
export function reference(study: Study): object {
  return { filter: `datum.method === ${JSON.stringify(referenceOf(study) ?? "")}` };
}

/** So many curves can be followed in one panel. */
export const MOST_CURVES = 6;

/** Columns by rank. What has no rank is in all of them: the transforms of `inRankPanels` put it there. */
export function rankColumns(study: Study): Columns {
  return {
    field: "panel",
    order: study.ranks.length > 0 ? study.ranks.map((rank) => `rank ${rank}`) : [NO_RANK],
    x: "shared",
  };
}

/** Transforms that give a row the field "panel" of `rankColumns`, and a row without a rank to every rank that is shown. */
export function inRankPanels(study: Study): readonly object[] {
  if (study.ranks.length === 0) return [{ calculate: `'${NO_RANK}'`, as: "panel" }];
  return [
    { calculate: `isValid(datum.rank) ? [datum.rank] : [${study.ranks}]`, as: "panelRank" },
    { flatten: ["panelRank"] },
    { filter: "shownRanks === null || indexof(shownRanks, datum.panelRank) >= 0" },
    { calculate: "'rank ' + datum.panelRank", as: "panel" },
  ];
}

/** Transforms that give each row the least and most value of fields in its task, as far as it is shown. */
export function extentOf(fields: readonly string[]): readonly object[] {
  return [
    {
      joinaggregate: fields.flatMap((field) => [
        { op: "min", field, as: `${field}Least` },
        { op: "max", field, as: `${field}Most` },
      ]),
      groupby: ["task"],
    },
    { calculate: `min(${fields.map((field) => `datum.${field}Least`)})`, as: "least" },
    { calculate: `max(${fields.map((field) => `datum.${field}Most`)})`, as: "most" },
  ];
}

/**
 * A layer that nobody sees: it gives all panels of a task the same y axis, from the extent that `extentOf` found. Panels
 * are charts of their own for Vega-Lite, so that tasks don't share an axis.
 */
export function sameExtent(y: object): object {
  return {
    transform: [{ window: [{ op: "row_number", as: "place" }], groupby: ["task"] }, {
      filter: "datum.place === 1",
    }],
    mark: { type: "rule", opacity: 0, aria: false, tooltip: null },
    encoding: { y: { ...y, field: "least" }, y2: { field: "most" } },
  };
}

/** An expression for the title of a task, on lines of so many characters, from an expression for its id. */
export function taskTitle({ tasks }: Study, id: string, line = 24): string {
  return `(${
    JSON.stringify(Object.fromEntries(tasks.map(({ id, title }) => [id, wrapped(title, line)])))
  })[${id}]`;
}

/** Words on lines of about equal length. */
function wrapped(text: string, line: number): string[] {
  const lines = Math.ceil(text.length / line), length = text.length / lines;
  return text.split(" ").reduce<string[]>((done, word) => {
    const last = done.at(-1);
    if (last !== undefined && last.length + word.length / 2 < length) {
      return [...done.slice(0, -1), `${last} ${word}`];
    }
    return [...done, word];
  }, []);
}

function taskHeadings(study: Study, line = 24) {
  return {
    field: "task",
    type: "nominal",
    title: null,
    sort: study.tasks.map(({ id }) => id),
    header: { labelFontSize: 13, labelExpr: taskTitle(study, "datum.label", line), labelLimit: 400 },
  };
}

function top({ title, subtitle, rows, rates, transform = [] }: Drawing) {
  const data = filtered(rows, rates);
  return {
    ...theme,
    description: subtitle === undefined ? title : `${title} ${subtitle}`,
    title: { text: title, ...subtitle !== undefined && { subtitle } },
    ...data,
    transform: [...data.transform, ...transform],
  };
}

/** Panels side by side are narrower where there are many: pages shrink what is wide, letters and all. */
function widthOf(columns: number): number {
  return Math.max(90, Math.min(400, Math.floor(WIDE / columns) - AROUND));
}
