/** @file What a page's script gets to know: the filters, the runs, and each chart with its data. */
import type { FILTERS } from "../drawing/filters.ts";
import type { Drawing } from "../drawing/lay_out.ts";
import type { ReportedRun } from "../report.ts";
import type { Columns } from "./payload.ts";

/** One value that readers can choose. */
export interface FilterValue {
  readonly value: string | number;
  readonly label: string;
}

/** One filter: see `FILTERS`. */
export interface Filter {
  readonly parameter: typeof FILTERS[number]["parameter"];
  readonly field: typeof FILTERS[number]["field"];
  readonly title: string;
  /** What is shown where nothing is chosen, e.g. "all". */
  readonly all: string;
  readonly values: readonly FilterValue[];
}

/** What the page as a whole knows. */
export interface PageData {
  readonly filters: readonly Filter[];
  readonly runs: readonly ReportedRun[];
  /** How each status is told to a reader. */
  readonly statuses: Readonly<Record<ReportedRun["status"], string>>;
  /** What makes runs that are missing; null where nobody wrote it down. */
  readonly command: string | null;
}

/** A chart for the page: its drawing, with the rows as columns. */
export interface ChartData extends Omit<Drawing, "rows"> {
  readonly rows: Columns;
}
