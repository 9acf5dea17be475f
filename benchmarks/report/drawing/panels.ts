/** @file Panels of a chart: a row a task, columns by rank, measure or method, and none for what is not shown. */
import type { Study } from "../../study/study.ts";
import { theme } from "../../study/styles.ts";
import { rowFilter } from "./filters.ts";
import type { Direction, Drawing, DrawnRow, RatesShown, Sharing, Wrapped } from "./lay_out.ts";
import { methodOrder, NO_RANK } from "./scales.ts";

/** What panels share that are side by side: their own axes and the gaps between them are beside each. */
const SHARING: Sharing = { whole: 1150, around: 72, least: 90, most: 400 };

/** What a chart is about, before its rows are sorted into panels. */
export interface Content {
  /** The question that it answers. */
  readonly title: string;
  /** What its marks are, in a sentence. */
  readonly subtitle?: string;
  /** Data, with the fields of filters.ts. */
  readonly rows: readonly (DrawnRow & { readonly task?: string; readonly method?: string })[];
  /** Rates that are shown where the reader chose none. */
  readonly rates?: RatesShown;
  /** Follows the filter, before rows are sorted into panels. */
  readonly transform?: readonly object[];
  /** Follows it once each row has the field of its panel. */
  readonly inPanels?: readonly object[];
  readonly layer: readonly object[];
  /** Pixels of a panel, or of each value of an axis, or what columns share; where absent, that is what a page has. */
  readonly width?: number | { readonly step: number } | Sharing;
  readonly height?: number | { readonly step: number };
}

/** Panels side by side: a field and its values in order. */
export interface Columns {
  readonly field: string;
  readonly order: readonly (string | number)[];
  readonly x: "shared" | "independent";
  /** "independent" where absent; axes that have a step for each value can be nothing but shared. */
  readonly y?: "shared" | "independent";
  /** Where the columns are named: above the first row, or below the last as names of x axes. */
  readonly orient?: "top" | "bottom";
  /** Where rows without a value stand in all columns, and how a column is named: see `rankColumns`. */
  readonly spread?: Direction["spread"];
  readonly labelExpr?: string;
}

/** A row a task, a column a value of a field; each panel has its own y axis, see `sameExtent`. */
export function grid(study: Study, content: Content, columns: Columns): Drawing {
  // What is written upright has to be no longer than a low panel is high.
  return inRows(content, taskDirection(study, typeof content.height === "object" ? 12 : 24), columns);
}

/** One row of panels, for charts that have all tasks in each. */
export function sideBySide(content: Content, columns: Columns): Drawing {
  return inRows(content, null, columns);
}

/** A row of panels for each value of a direction. */
export function inRows(content: Content, rows: Direction | null, columns: Columns): Drawing {
  const { width = SHARING, height = 220 } = content, { x, y = "independent" } = columns;
  const more = { resolve: { scale: { x, y } } };
  return { ...parts(content), panels: { rows, columns: columnDirection(columns), width, height, more } };
}

function columnDirection({ field, order, orient = "top", spread, labelExpr }: Columns): Direction {
  return {
    field,
    values: order,
    ...spread && { spread },
    header: {
      labelOrient: orient,
      labelFontSize: 13,
      labelFontWeight: orient === "top" ? "bold" : "normal",
      ...labelExpr !== undefined && { labelExpr },
    },
  };
}

/** A panel a task, two a row. */
export function taskPanels(study: Study, content: Content): Drawing {
  const { width = 400, height = 280 } = content;
  const more = { resolve: { scale: { x: "independent", y: "independent" } } };
  return { ...parts(content), panels: { panels: taskDirection(study), perRow: 2, width, height, more } };
}

/**
 * For more methods than one panel can hold: a panel each, a row a method and a column a task, or, of one task, four a row.
 * LoRA's first variant is in all of them, for comparison, and so is what has no method: see `OWN` and `reference`.
 */
export function methodPanels(study: Study, content: Content): Drawing {
  const values = methodOrder(study, content.rows), everywhere = referenceOf(study) ?? null;
  const spread = { parameter: "shownMethods", everywhere, otherwise: "" };
  // What describes a method goes on a second line.
  const labelExpr = "split(replace(datum.label, ' (', '\\n('), '\\n')";
  const { width = SHARING, height = LOW } = content;
  const byMethod = (header: object): Direction => ({
    field: "method",
    values,
    spread,
    header: { labelFontSize: 11, labelExpr, ...header },
  });
  const resolve = { scale: { x: "shared", y: "independent" } };
  const ofOneColumn: Wrapped = {
    panels: byMethod({ labelPadding: 4 }),
    perRow: 4,
    width: content.width ?? 205,
    height,
    // Panels lie by their own sizes: the guessed width of a heading would push them apart.
    more: {
      bounds: "flush",
      spacing: { row: 86, column: 84 },
      // Shared ones would stand below the last row where it has no panel, too.
      resolve: { ...resolve, axis: { x: "independent" } },
    },
  };
  const all = parts(content), { config } = all.top;
  return {
    ...all,
    // Each panel has a frame. What stands along it in fifteen of them takes long to draw.
    top: {
      ...all.top,
      config: { ...config, axis: { ...config.axis, ticks: false, domain: false, labelPadding: 4 } },
    },
    panels: {
      rows: byMethod({ labelLimit: 240 }),
      columns: taskDirection(study),
      ofOneColumn,
      width,
      height,
      more: { spacing: { row: 14, column: 20 }, resolve },
    },
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

/** Columns by rank. What has no rank is in all of them. */
export function rankColumns(study: Study): Columns {
  return {
    field: "rank",
    order: study.ranks,
    x: "shared",
    spread: { parameter: "shownRanks", otherwise: NO_RANK },
    // Vega-Lite puts a whole expression in the place of each name.
    labelExpr: `(datum.label) === '${NO_RANK}' ? (datum.label) : 'rank ' + (datum.label)`,
  };
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

/** Pixels of a panel of `methodPanels`, and of a character of a title of its y axis as Vega takes it where it can't measure it. */
const LOW = 120, CHARACTER = 10.4;

/** A title of a y axis on lines that are no longer than a low panel is high: longer ones push headings into other panels. */
export function lowTitle(title: string): string[] {
  return wrapped(title, Math.floor(LOW / CHARACTER));
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

function taskDirection(study: Study, line = 24): Direction {
  return {
    field: "task",
    values: study.tasks.map(({ id }) => id),
    header: { labelFontSize: 13, labelExpr: taskTitle(study, "datum.label", line), labelLimit: 400 },
  };
}

function parts({ title, subtitle, rows, rates = "best", transform = [], inPanels = [], layer }: Content) {
  return {
    top: {
      ...theme,
      description: subtitle === undefined ? title : `${title} ${subtitle}`,
      title: { text: title, ...subtitle !== undefined && { subtitle } },
    },
    rows,
    rates,
    transform: [rowFilter(rates), ...transform],
    inPanels,
    layer,
  };
}
