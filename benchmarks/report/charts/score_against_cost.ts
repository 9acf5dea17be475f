/** @file What each method's score costs in memory and time. */
import { mean, median } from "../../statistics.ts";
import type { Chart, Study } from "../report.ts";
import { methodScales, taskRows } from "../styles.ts";
import { MOST_CURVES } from "./method_panels.ts";

/** Score against bytes of optimizer state and against time per step. */
export const scoreAgainstCost: Chart = {
  id: "score-against-cost",
  title: "Score against cost",
  caption:
    "Mean score against the bytes that the method keeps between steps (moments; without the trained parameters " +
    "themselves) and against the median time of a step. The number at a point is its rank; of many methods larger points " +
    "are larger ranks, and a line joins those of a method. Up and to the left is better.",
  draw(study) {
    const order = ["Optimizer state, KiB", "Step, ms"];
    const values = study.cells.filter((cell) => cell.runs.length > 0).flatMap((cell) => {
      const costs = cell.runs.map((run) => run.outcome.cost);
      const row = {
        task: cell.task.id,
        method: cell.method.label,
        rank: cell.rank === null ? "" : String(cell.rank),
        // Numbers of points that coincide stand one below the other.
        shift: 8 * (study.methods.indexOf(cell.method) - (study.methods.length - 1) / 2),
        score: mean(cell.runs.map((run) => run.outcome.score)),
      };
      return [
        { ...row, column: order[0]!, cost: median(costs.map((cost) => cost.stateBytes)) / 1024 },
        { ...row, column: order[1]!, cost: median(costs.map((cost) => cost.medianStepMs)) },
      ];
    });
    if (values.length === 0) return null;
    const { color, shape } = methodScales(study, new Set(values.map(({ method }) => method)));
    // A method without state has no place on a logarithmic axis.
    const type = values.every(({ cost }) => cost > 0) ? "log" : "symlog";
    const x = {
      field: "cost",
      type: "quantitative",
      title: null,
      scale: { type, nice: false, zero: false, padding: 24 },
      axis: { grid: false, tickCount: 5, format: "~g", labelOverlap: true },
    };
    const y = { field: "score", type: "quantitative", title: "Score", scale: { zero: false, padding: 12 } };
    const header = { labelOrient: "bottom", labelFontSize: 13, labelFontWeight: "normal" };
    return taskRows(
      study,
      "Score against cost",
      values,
      { order, header, sharedX: false },
      study.methods.length > MOST_CURVES ? bySize(study, { x, y, color, shape }) : [
        { mark: { type: "point", filled: true, size: 90, opacity: 1 }, encoding: { x, y, color, shape } },
        {
          mark: {
            type: "text",
            dx: 9,
            dy: { expr: "datum.shift" },
            align: "left",
            baseline: "middle",
            fontSize: 12,
            color: "#333333",
          },
          encoding: { x, y, text: { field: "rank", type: "nominal" } },
        },
      ],
      study.methods.length > MOST_CURVES ? { width: 440, height: 340 } : {},
    );
  },
};

/** Ranks by size: numbers at so many points would cover each other. */
function bySize(
  study: Study,
  { x, y, color, shape }: Readonly<Record<"x" | "y" | "color" | "shape", unknown>>,
): readonly unknown[] {
  const order = { field: "rank", type: "quantitative" };
  const domain = ["", ...study.ranks.map(String)];
  const size = {
    field: "rank",
    type: "ordinal",
    scale: { domain, range: domain.map((_, i) => 60 + 130 * i / Math.max(1, study.ranks.length)) },
    legend: null,
  };
  return [
    { mark: { type: "line", strokeWidth: 1, opacity: 0.5 }, encoding: { x, y, color, order } },
    { mark: { type: "point", filled: true, opacity: 0.85 }, encoding: { x, y, color, shape, size } },
  ];
}
