/** @file What methods tell of themselves over training, e.g. the ranks that AdaLoRA leaves each map. */
import type { Chart } from "./chart.ts";
import { thinned } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP } from "../drawing/means.ts";
import { inRows, rankColumns } from "../drawing/panels.ts";
import { methodScales, NUMBERS } from "../drawing/scales.ts";

/** Curves of `Optimizer.inspect` by step. */
export const inspectedByStep: Chart = {
  id: "inspected-by-step",
  title: "What do methods tell of themselves?",
  caption:
    "Curves that a method reports itself, named by the method, one row each; means over seeds. What it reports by linear " +
    "map is drawn faint for each map and strong for their mean.",
  draw(study) {
    const rows = runRows(study, ({ outcome: { inspected } }) => {
      const told = Object.entries(inspected).filter(([, points]) => points.length > 0);
      return told.length === 0 ? null : { told };
    }).flatMap(({ told, ...row }) =>
      told.map(([name, points]) => {
        const title = study.tasks.find(({ id }) => id === row.task)!.title;
        return {
          ...row,
          heading: `${title}: ${name.split("/")[0]} of ${row.method}`,
          part: name,
          ...thinned(points),
        };
      })
    );
    if (rows.length === 0) return null;
    const x = {
      field: "step",
      type: "quantitative",
      title: "Step",
      axis: { grid: false, tickCount: 5, ...NUMBERS },
    };
    const y = {
      type: "quantitative",
      title: null,
      scale: { zero: false },
      axis: { tickCount: 4, ...NUMBERS },
    };
    const color = { ...methodScales(study, rows).color, legend: null };
    const headings = {
      field: "heading",
      values: [...new Set(rows.map(({ heading }) => heading))],
      header: { labelFontSize: 11, labelLimit: 400, labelExpr: "split(datum.label, / (?=of )|(?<=:) /)" },
    };
    return inRows(
      {
        title: inspectedByStep.title,
        rows,
        transform: [
          { flatten: ["step", "value"] },
          ...meansOverRuns(["value"], [...GROUP, "heading", "part", "step"]),
          ONE_A_GROUP,
          {
            joinaggregate: [{ op: "mean", field: "valueMean", as: "overall" }, { op: "count", as: "parts" }],
            groupby: [...GROUP, "heading", "step"],
          },
          {
            window: [{ op: "row_number", as: "place" }],
            sort: [{ field: "part", order: "ascending" }],
            groupby: [...GROUP, "heading", "step"],
          },
        ],
        height: 150,
        layer: [
          {
            transform: [{ filter: "datum.parts > 1" }],
            mark: {
              type: "line",
              strokeWidth: 1,
              opacity: 0.4,
              aria: false,
              tooltip: meansTooltip([{ heading: "Value", field: "value" }], [
                { heading: "Of", field: "part", format: "" },
              ]),
            },
            encoding: {
              x,
              y: { ...y, field: "valueMean" },
              color,
              detail: [{ field: "part" }, { field: "rate" }],
            },
          },
          {
            transform: [{ filter: "datum.place === 1" }],
            mark: {
              type: "line",
              strokeWidth: 2.5,
              point: { filled: true, size: 30 },
              aria: false,
              tooltip: null,
            },
            encoding: { x, y: { ...y, field: "overall" }, color, detail: { field: "rate" } },
          },
        ],
      },
      headings,
      rankColumns(study),
    );
  },
};
