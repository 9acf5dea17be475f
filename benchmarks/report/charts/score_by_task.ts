/** @file Which method scores what on which task, at one glance. */
import type { Chart } from "./chart.ts";
import { short } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import { heatLayers } from "../drawing/heat.ts";
import { meansOverRuns, meansTooltip, ONE_A_GROUP } from "../drawing/means.ts";
import { rankColumns, sideBySide, taskTitle } from "../drawing/panels.ts";
import { methodOrder } from "../drawing/scales.ts";

/** Pixels of all cells side by side, and of a character of their headings. */
const WIDE = 1100, CHARACTER = 7.5;

/** A heat map of methods by tasks. */
export const scoreByTask: Chart = {
  id: "score-by-task",
  title: "Which method scores what on which task?",
  caption:
    "Mean test score over seeds. Shades compare the methods of one task at one rank: dark is the lowest " +
    "shown, light the highest. They say nothing across tasks, and not whether a difference is more than " +
    "chance. Methods without a rank stand in every panel.",
  draw(study) {
    const rows = runRows(study, (run) => ({ score: short(run.outcome.score) }));
    // One method by one task is a number, not a map.
    if (new Set(rows.map(({ task, method }) => `${task} ${method}`)).size < 2) return null;
    const columns = new Set(rows.map(({ task }) => task)).size * Math.max(1, study.ranks.length);
    const step = Math.max(60, Math.min(112, Math.floor(WIDE / columns)));
    return sideBySide({
      title: scoreByTask.title,
      subtitle: "Mean score over seeds; shades from a task's lowest (dark) to its highest (light)",
      rows,
      transform: [
        ...meansOverRuns(["score"], ["task", "method", "rank"]),
        ONE_A_GROUP,
      ],
      inPanels: [
        {
          joinaggregate: [
            { op: "min", field: "scoreMean", as: "least" },
            { op: "max", field: "scoreMean", as: "most" },
          ],
          groupby: ["task", "panel"],
        },
        {
          calculate:
            "datum.most > datum.least ? (datum.scoreMean - datum.least) / (datum.most - datum.least) : 0.5",
          as: "shade",
        },
      ],
      width: { step },
      height: { step: 24 },
      layer: heatLayers({
        x: {
          field: "task",
          sort: study.tasks.map(({ id }) => id),
          axis: {
            labelExpr: taskTitle(study, "datum.value", Math.floor(step / CHARACTER)),
            labelAngle: 0,
            labelLimit: 0,
          },
        },
        y: { field: "method", sort: methodOrder(study, rows) },
        color: { field: "shade", scale: { domain: [0, 1] }, legend: null },
        text: { field: "scoreMean", format: ".3f", dark: "datum.shade < 0.6" },
        tooltip: meansTooltip([{ heading: "Score", field: "score" }]),
      }),
    }, { ...rankColumns(study), y: "shared" });
  },
};
