/** @file A chart as a page carries it: Vega's specification, its rows as columns. */
import { compileChart } from "../render.ts";
import type { VegaLiteSpec } from "../report.ts";
import type { ChartData } from "./page_data.ts";
import { toColumns } from "./payload.ts";

/** Compiles a chart and takes the rows out of it. */
export function chartData(spec: VegaLiteSpec): ChartData {
  const compiled = compileChart(spec), sources = compiled.data ?? [];
  const rowsOf = (source: typeof sources[number]) =>
    "values" in source && Array.isArray(source.values) ? source.values as Record<string, unknown>[] : null;
  return {
    spec: {
      ...compiled,
      data: sources.map((source) => rowsOf(source) ? { ...source, values: [] } : { ...source }),
    },
    tables: sources.map((source) => {
      const rows = rowsOf(source);
      return rows && toColumns(rows);
    }),
  };
}
