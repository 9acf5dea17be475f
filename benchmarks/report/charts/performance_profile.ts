/** @file How often each method reaches each score, over all tasks. */
import { FEWEST_TASKS } from "../../statistics/pooled.ts";
import { short } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import type { Drawing, Grid } from "../drawing/lay_out.ts";
import {
  GREY,
  methodPanels,
  MOST_CURVES,
  OWN,
  rankColumns,
  reference,
  sideBySide,
} from "../drawing/panels.ts";
import { dashOf, methodOrder, methodScales } from "../drawing/scales.ts";
import type { Chart } from "./chart.ts";

/** Share of runs that score so much or more, by score: Agarwal et al., arXiv 2108.13264, section 4.2. */
export const performanceProfile: Chart = {
  id: "performance-profile",
  title: "What share of a method's runs reaches a score?",
  caption:
    "For each score on the x axis, the share of a method's runs that score so much or more: mean over tasks, each with " +
    "the same weight. A line that lies above another everywhere belongs to the method that is better at every height; " +
    "where lines cross, one is better at hard tasks and the other at easy ones. A wide step is a task on which all seeds " +
    "agree. Diverged runs are not among them. Of many methods each has a panel, with LoRA behind in grey.",
  draw(study): Drawing | null {
    const rows = runRows(study, (run) => ({ score: short(run.outcome.score) }));
    if (new Set(rows.map(({ task }) => task)).size < FEWEST_TASKS) return null;
    const many = methodOrder(study, rows).length > MOST_CURVES;
    const { color } = methodScales(study, rows);
    const x = {
      field: "reached",
      type: "quantitative",
      title: "Score",
      scale: { domain: [0, 1], nice: false },
      axis: { grid: false, tickCount: 5 },
    };
    const y = {
      field: "share",
      type: "quantitative",
      title: "Share of runs",
      scale: { domain: [0, 1], nice: false },
      axis: { tickCount: 4, format: "%" },
    };
    const detail = [{ field: "rank" }];
    const quiet = { aria: false, tooltip: null };
    const content = {
      title: performanceProfile.title,
      subtitle: "Mean over tasks",
      rows,
      transform: [
        // A run's share of all: each task has the same weight, and so has each run on it.
        {
          joinaggregate: [{ op: "count", as: "onTask" }],
          groupby: ["task", "method", "rank"],
        },
        {
          joinaggregate: [{ op: "distinct", field: "task", as: "tasks" }, { op: "count", as: "all" }],
          groupby: ["method", "rank"],
        },
        { calculate: "1 / (datum.onTask * datum.tasks)", as: "weight" },
        {
          // Of those that score so much or more, equals among them.
          window: [{ op: "sum", field: "weight", as: "reaching" }],
          sort: [{ field: "score", order: "descending" }],
          frame: [null, 0],
          groupby: ["method", "rank"],
        },
        {
          window: [{ op: "row_number", as: "place" }],
          sort: [{ field: "score", order: "ascending" }],
          groupby: ["method", "rank"],
        },
        // The line goes from 0, which all reach, to 1.
        {
          calculate:
            "slice([0, datum.score, 1], datum.place === 1 ? 0 : 1, datum.place === datum.all ? 3 : 2)",
          as: "reached",
        },
        { flatten: ["reached"] },
        {
          calculate: "datum.reached === datum.score ? min(1, datum.reaching) : datum.reached === 0 ? 1 : 0",
          as: "share",
        },
      ],
      layer: [
        ...many
          ? [{
            transform: [reference(study)],
            mark: { type: "line", interpolate: "step-before", strokeWidth: 1.5, color: GREY, ...quiet },
            encoding: { x, y, detail },
          }]
          : [],
        {
          transform: many ? [OWN] : [],
          mark: {
            type: "line",
            interpolate: "step-before",
            strokeWidth: 2,
            ...many ? {} : dashOf(study),
            ...quiet,
          },
          encoding: { x, y, color: many ? { ...color, legend: null } : color, detail },
        },
      ],
    };
    if (!many) return sideBySide({ ...content, width: 400, height: 260 }, rankColumns(study));
    const drawing = methodPanels(study, content);
    // All tasks are in each panel: there is no column of them.
    return { ...drawing, panels: (drawing.panels as Grid).ofOneColumn! };
  },
};
