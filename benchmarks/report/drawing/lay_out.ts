/**
 * @file Lays a chart out for the rows that are shown: a Vega-Lite specification from a drawing and a reader's choices.
 *
 * Vega keeps the panels that it once made: where parameters change afterwards, panels of rows that are gone stay, and the
 * others move under headings that are not theirs. So every choice gets a specification of its own, whose panels, and the
 * pixels that they share, are those of what it shows. Reports do it for all rows, and the page's script, which holds this
 * file without its types, for what its reader chose: nothing but types is imported here.
 */

/** A Vega-Lite v6 specification with its data inline. */
export type VegaLiteSpec = { readonly $schema: string } & Readonly<Record<string, unknown>>;

/** Which rates are shown where the reader chose none. */
export type RatesShown = "best" | "every";

/** What a reader chose of a field of `FILTERS`. */
export interface Choice {
  readonly parameter: string;
  readonly field: string;
  /** Null for all. */
  readonly values: readonly (string | number)[] | null;
}

/** Data of a chart, with the fields of filters.ts. */
export interface DrawnRow {
  /** True for what stands beside runs, and is no reason for a panel. */
  readonly beside?: boolean;
}

/** Of more tasks than this, each with panels of its own, the first is shown until the reader chooses. */
const MOST_TASKS = 4;

/** What tells panels apart in one direction. */
export interface Direction {
  /** Field of the rows, a value or a list of several; behind the drawing's transforms it holds one value. */
  readonly field: string;
  /** Its values in order. Those of no row that is shown have no panel. */
  readonly values: readonly (string | number)[];
  /** Where rows without a value stand in all panels. */
  readonly spread?: Spread;
  readonly header: object;
}

/** Puts rows into a field "panel": each into that of its value, and some into every panel. */
export interface Spread {
  /** Chooses among the values. */
  readonly parameter: string;
  /** A value whose rows stand in all panels, as those without a value do. */
  readonly everywhere?: string | null;
  /** The only panel where no row has a value. */
  readonly otherwise: string;
}

/** Pixels that panels side by side share. */
export interface Sharing {
  readonly whole: number;
  /** Pixels of each character of the longest method's name, which the panels leave free. */
  readonly character?: number;
  /** Pixels beside each panel: its y axis, a gap. */
  readonly around: number;
  /** Pixels of a panel. */
  readonly least: number;
  readonly most: number;
}

interface Sizes {
  /** Pixels of a panel, or of each value of an axis. */
  readonly width: number | { readonly step: number } | Sharing;
  readonly height: number | { readonly step: number };
  /** What else the specification has: how scales are shared, gaps. */
  readonly more: object;
  /** The only task of many that is shown. */
  readonly only?: { readonly task: string | number; readonly of: number };
}

/** Panels in rows and columns. */
export interface Grid extends Sizes {
  /** Null for one row. */
  readonly rows: Direction | null;
  readonly columns: Direction;
  /** How they lie where one column is shown. */
  readonly ofOneColumn?: Wrapped;
}

/** Panels one after the other, so many a row. */
export interface Wrapped extends Sizes {
  readonly panels: Direction;
  readonly perRow: number;
}

/** A chart before it is laid out: plain JSON. */
export interface Drawing {
  /** What does not depend on what is shown: title, look. */
  readonly top: { readonly $schema: string } & Readonly<Record<string, unknown>>;
  readonly rows: readonly DrawnRow[];
  /** Rates that are shown where the reader chose none. */
  readonly rates: RatesShown;
  /** From rows to marks' data: the first is the filter of filters.ts. */
  readonly transform: readonly object[];
  /** What follows once rows stand in their panels. */
  readonly inPanels: readonly object[];
  readonly layer: readonly object[];
  readonly panels: Grid | Wrapped;
}

/**
 * The specification of what passes all choices; null where nothing does. Pure.
 *
 * @param room pixels that a page has for it; as many as the drawing would have where absent
 */
export function layOut(drawing: Drawing, choices: readonly Choice[], room = Infinity): VegaLiteSpec | null {
  const passing = drawing.rows.filter((row) => choices.every((choice) => passes(row, choice, drawing.rates)));
  const runs = passing.filter(({ beside }) => !beside);
  if (runs.length === 0) return null;
  const panels = fitted(narrowed(drawing.panels, runs), room);
  const directions = "panels" in panels ? [panels.panels] : [panels.rows, panels.columns];
  const shown = directions.filter((one) => one !== null);
  const { only } = panels;
  const isShown = (row: DrawnRow) =>
    only === undefined || [only.task, undefined].includes(valueOf(row, "task") as string);
  const rows = passing.filter((row) =>
    isShown(row) &&
    shown.every((one) => one.spread !== undefined || one.values.some((value) => has(row, one, value)))
  );
  return {
    ...drawing.top,
    ...titleOf(drawing, panels),
    params: [
      ...choices.map(({ parameter, values }) => ({ name: parameter, value: values })),
      { name: "drawn", value: { method: valuesOf(rows, "method"), rankName: valuesOf(rows, "rankName") } },
    ],
    data: { values: rows },
    transform: [...drawing.transform, ...shown.flatMap(spreadOut), ...drawing.inPanels],
    ...panels.more,
    ...facetOf(panels),
    spec: { width: widthOf(panels, runs), height: panels.height, layer: drawing.layer },
  };
}

/** The title, with the task that is shown where that is one of many that pass. */
function titleOf({ top }: Drawing, { only }: Grid | Wrapped): object {
  if (only === undefined) return {};
  const { title } = top as { readonly title?: { readonly subtitle?: string } };
  const told = `Task: ${only.task}, 1 of ${only.of}; the filter shows others`;
  return { title: { ...title, subtitle: [...title?.subtitle === undefined ? [] : [title.subtitle], told] } };
}

/** The same panels, no more of them side by side than there is room for. */
function fitted(panels: Grid | Wrapped, room: number): Grid | Wrapped {
  const { width } = panels;
  const shared = typeof width === "object" && "whole" in width
    ? { ...width, whole: Math.max(width.least + width.around, Math.min(width.whole, room)) }
    : width;
  if (!("panels" in panels) || typeof shared !== "number") return { ...panels, width: shared };
  const beside = 80, perRow = Math.max(1, Math.min(panels.perRow, Math.floor(room / (shared + beside))));
  return { ...panels, perRow, width: Math.min(shared, Math.max(200, room - beside)) };
}

/** What rows have of a field, once each: legends list these. */
function valuesOf(rows: readonly DrawnRow[], field: string): unknown[] {
  return [...new Set(rows.map((row) => valueOf(row, field)))].filter((value) => value !== undefined);
}

/** As the filter of filters.ts has it. */
function passes(row: DrawnRow, { field, values }: Choice, rates: RatesShown): boolean {
  const value = valueOf(row, field);
  if (value === null || value === undefined) return true;
  if (values !== null) return values.includes(value as string | number);
  return field !== "rate" || rates !== "best" || valueOf(row, "best") !== false;
}

/** The same panels with the values that rows have. */
function narrowed(panels: Grid | Wrapped, rows: readonly DrawnRow[]): Grid | Wrapped {
  const shown = (direction: Direction): Direction => ({
    ...direction,
    values: direction.values.filter((value) => rows.some((row) => has(row, direction, value))),
  });
  let only: Sizes["only"];
  const focused = (direction: Direction): Direction => {
    const found = shown(direction), [first] = found.values;
    if (direction.field !== "task" || found.values.length <= MOST_TASKS || first === undefined) return found;
    only = { task: first, of: found.values.length };
    return { ...found, values: [first] };
  };
  const told = (found: Grid | Wrapped) => only === undefined ? found : { ...found, only };
  if ("panels" in panels) return told({ ...panels, panels: focused(panels.panels) });
  const columns = focused(panels.columns);
  if (panels.ofOneColumn && columns.values.length === 1) {
    // Its direction has the methods, whose tasks are one by now.
    return told(narrowed(panels.ofOneColumn, rows.filter((row) => has(row, columns, columns.values[0]!))));
  }
  return told({ ...panels, rows: panels.rows && focused(panels.rows), columns });
}

function has(row: DrawnRow, { field }: Direction, value: string | number): boolean {
  const own = valueOf(row, field);
  return Array.isArray(own) ? own.includes(value) : own === value;
}

function valueOf(row: DrawnRow, field: string): unknown {
  return (row as Readonly<Record<string, unknown>>)[field];
}

function spreadOut({ field, values, spread }: Direction): readonly object[] {
  if (!spread) return [];
  const { parameter, everywhere = null, otherwise } = spread;
  const own = `isValid(datum.${field}) && datum.${field} !== ${JSON.stringify(everywhere)}`;
  const all = values.length > 0 ? values : [otherwise];
  return [
    { calculate: `${own} ? [datum.${field}] : ${JSON.stringify(all)}`, as: "panel" },
    { flatten: ["panel"] },
    // For those who set the parameter of a specification that was laid out for all.
    ...values.length > 0
      ? [{ filter: `${parameter} === null || indexof(${parameter}, datum.panel) >= 0` }]
      : [],
  ];
}

function facetOf(panels: Grid | Wrapped): object {
  const facet = ({ field, values, spread, header }: Direction) => ({
    field: spread ? "panel" : field,
    type: "nominal",
    title: null,
    sort: values,
    header,
  });
  if ("panels" in panels) return { facet: facet(panels.panels), columns: panels.perRow };
  const { rows, columns } = panels;
  return { facet: { ...rows && { row: facet(rows) }, column: facet(columns) } };
}

/** Panels side by side are narrower where there are many: pages shrink what is wide, letters and all. */
function widthOf(panels: Grid | Wrapped, rows: readonly DrawnRow[]): number | { readonly step: number } {
  const { width } = panels;
  if (typeof width === "number" || "step" in width) return width;
  const columns = "panels" in panels ? panels.perRow : Math.max(1, panels.columns.values.length);
  const names = rows.map((row) => String(valueOf(row, "method") ?? "").length);
  const beside = (width.character ?? 0) * names.reduce((longest, one) => Math.max(longest, one), 0);
  const each = Math.floor((width.whole - beside) / columns) - width.around;
  return Math.max(width.least, Math.min(width.most, each));
}
