/** @file What a score costs of what the base checkpoint could do before. */
import type { Chart } from "./chart.ts";
import { short } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP } from "../drawing/means.ts";
import { taskPanels } from "../drawing/panels.ts";
import { paretoFront } from "../drawing/pareto.ts";
import { dashOf, methodScales, NUMBERS } from "../drawing/scales.ts";
import { riseOf } from "../../study/forgetting.ts";

/** Score against the rise of the loss on what the base was pre-trained on, at every rate, with each method's front. */
export const scoreAgainstForgetting: Chart = {
  id: "score-against-forgetting",
  title: "What does a score cost of what the base knew?",
  caption:
    "Mean test score over seeds against forgetting: how much the loss on held-out pretraining examples rose, in nats a " +
    "target. Up and to the left is better. Every learning rate of a method at a rank is a point, the large one the rate " +
    "that speaks for it elsewhere. The line joins the method's front: the rates at which no other of its own scores as " +
    "high and forgets as little. Compare lines at one height: at equal score, the line further left forgets less.",
  draw(study) {
    const rows = runRows(study, (run) => {
      const rise = riseOf(run);
      return rise === null ? null : { forgetting: short(rise), score: short(run.outcome.score) };
    });
    if (rows.length === 0) return null;
    const { color, shape } = methodScales(study, rows);
    const x = {
      field: "forgettingMean",
      type: "quantitative",
      title: "Forgetting: rise of the loss on pretraining examples",
      // Rates reach from none to many times the base's own loss.
      scale: { type: "symlog", constant: 0.1, nice: false, padding: 18 },
      axis: { grid: false, tickCount: 6, ...NUMBERS, labelOverlap: true },
    };
    const y = {
      field: "scoreMean",
      type: "quantitative",
      title: "Score",
      scale: { zero: false, padding: 14 },
    };
    const numbers = [{ heading: "Score", field: "score" }, { heading: "Forgetting", field: "forgetting" }];
    const size = {
      condition: { test: "datum.best", value: 90 },
      value: 28,
    };
    return taskPanels(study, {
      title: scoreAgainstForgetting.title,
      subtitle: "A point a learning rate, mean over seeds; lines: each method's front at a rank",
      rows,
      rates: "every",
      transform: [
        ...meansOverRuns(["score", "forgetting"], GROUP),
        ONE_A_GROUP,
        ...paretoFront("forgettingMean", "scoreMean", ["task", "method", "rank"]),
      ],
      layer: [
        {
          transform: [{ filter: "datum.front" }],
          mark: {
            type: "line",
            strokeWidth: 1.5,
            opacity: 0.8,
            aria: false,
            tooltip: null,
            ...dashOf(study),
          },
          encoding: {
            x,
            y,
            color,
            detail: [{ field: "rank" }],
            order: { field: "forgettingMean", type: "quantitative" },
          },
        },
        {
          mark: { type: "point", filled: true, opacity: 0.9, aria: false, tooltip: meansTooltip(numbers) },
          encoding: { x, y, color, shape, size },
        },
      ],
    });
  },
};
