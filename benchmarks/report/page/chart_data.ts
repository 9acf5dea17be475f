/** @file A chart as a page carries it: its drawing, with the rows as columns. */
import type { Drawing } from "../drawing/lay_out.ts";
import type { ChartData } from "./page_data.ts";
import { toColumns } from "./payload.ts";

/** Turns a drawing's rows into columns. */
export function chartData(drawing: Drawing): ChartData {
  return { ...drawing, rows: toColumns(drawing.rows) };
}
