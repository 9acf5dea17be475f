/** @file What each method's score costs in memory and time, and which methods no other beats in both. */
import { warmStepMs } from "../../../training/telemetry/meters.ts";
import type { Chart } from "./chart.ts";
import { short } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP } from "../drawing/means.ts";
import { extentOf, grid, sameExtent } from "../drawing/panels.ts";
import { paretoFront } from "../drawing/pareto.ts";
import { methodScales, NUMBERS } from "../drawing/scales.ts";

const MEASURES = ["Peak memory, MiB", "Optimizer state, KiB", "Step, ms"];

/** Score against peak bytes, bytes of optimizer state and time per step, with the Pareto front. */
export const scoreAgainstCost: Chart = {
  id: "score-against-cost",
  title: "What does a score cost in memory and time?",
  caption:
    "Mean test score over seeds against the most bytes that were alive at once, the bytes that the method " +
    "keeps between steps (moments; without the trained parameters themselves) and the median time of a step " +
    "that compiled nothing. Up and to the left is better. The grey line is the Pareto front: the methods on " +
    "it, which are named with their rank, are beaten by no other in both score and cost. The front is drawn " +
    "from means alone, so a small step of it may be chance.",
  draw(study) {
    const rows = runRows(study, ({ outcome: { score, cost } }) => {
      const { peakBytes, stateBytes } = cost, stepMs = warmStepMs(cost);
      // What was not measured has no place.
      const costs = [peakBytes === null ? null : peakBytes / 1024 ** 2, stateBytes / 1024, stepMs];
      return {
        score: short(score),
        measure: MEASURES.filter((_, i) => costs[i] !== null),
        cost: costs.filter((one) => one !== null).map(short),
      };
    });
    if (rows.length === 0) return null;
    const { color, shape } = methodScales(study, rows);
    const x = {
      field: "costMean",
      type: "quantitative",
      title: null,
      // A method without state has no place on a logarithmic axis.
      scale: rows.every(({ cost }) => cost.every((one) => one > 0))
        ? { type: "log", nice: false, padding: 50 }
        : { type: "symlog", nice: false, padding: 50 },
      axis: { grid: false, tickCount: 5, ...NUMBERS, labelOverlap: true },
    };
    const y = {
      field: "scoreMean",
      type: "quantitative",
      title: "Score",
      scale: { zero: false, padding: 22 },
    };
    const front = { filter: "datum.front" };
    const names = Object.fromEntries(study.methods.map(({ label }) => [label, label.replace(/ \(.*/, "")]));
    return grid(study, {
      title: scoreAgainstCost.title,
      subtitle: "Line: the Pareto front, whose methods are named with their rank",
      rows,
      transform: [
        { flatten: ["measure", "cost"] },
        ...meansOverRuns(["score", "cost"], [...GROUP, "measure"]),
        ONE_A_GROUP,
        ...paretoFront("costMean", "scoreMean", ["task", "measure"]),
        ...extentOf(["scoreMean"]),
        {
          calculate: `(${
            JSON.stringify(names)
          })[datum.method] + (isValid(datum.rank) ? ' ' + datum.rank : '')`,
          as: "name",
        },
      ],
      height: 260,
      layer: [
        sameExtent(y),
        {
          transform: [front],
          mark: {
            type: "line",
            interpolate: "step-after",
            strokeWidth: 1.5,
            color: "#888888",
            aria: false,
            tooltip: null,
          },
          encoding: { x, y },
        },
        {
          mark: {
            type: "point",
            filled: true,
            size: 80,
            opacity: 0.9,
            aria: false,
            tooltip: meansTooltip(
              [{ heading: "Score", field: "score" }, { heading: "Cost", field: "cost" }],
              [
                { heading: "Cost is", field: "measure", format: "" },
              ],
            ),
          },
          encoding: { x, y, color, shape },
        },
        {
          transform: [front],
          mark: { type: "text", dy: -10, fontSize: 11, color: "#333333", aria: false, tooltip: null },
          encoding: { x, y, text: { field: "name", type: "nominal" } },
        },
      ],
    }, { field: "measure", order: MEASURES, orient: "bottom", x: "independent" });
  },
};
