/** @file How far each step moves A, over training. */
import type { Chart } from "../report.ts";
import { methodScales, taskRows } from "../styles.ts";
import { meanCurve, panelOrder, panelsOf } from "./by_step.ts";
import { overSites } from "./discrepancy_by_step.ts";

/** Relative move of A by step. */
export const moveOfAByStep: Chart = {
  id: "move-of-a-by-step",
  title: "Move of A by step",
  caption:
    "‖A after the step − A before it‖ / ‖A before it‖: mean over sites and seeds, both axes logarithmic. A start at B = 0 " +
    "leaves A where it is in the first step, which a logarithm has no place for; LoRA-Pro, which divides by BᵀB, then " +
    "moves it far in the second.",
  draw(study) {
    const values = study.cells.flatMap((cell) => {
      const curve = meanCurve(
        cell.runs.map((run) => overSites(run.outcome.discrepancies, (one) => one.moveOfA ?? null)),
      );
      const { task: { id: task }, method: { label: method } } = cell;
      return panelsOf(study, cell).flatMap((column) =>
        curve.filter(({ value }) => value > 0).map(({ step, value }) => ({
          task,
          column,
          method,
          step,
          value,
        }))
      );
    });
    if (values.length === 0) return null;
    const { color, shape, strokeDash } = methodScales(study, new Set(values.map(({ method }) => method)));
    const x = {
      field: "step",
      type: "quantitative",
      title: "Step",
      scale: { type: "log", nice: false, padding: 10 },
      axis: { grid: false, format: "d", labelOverlap: true },
    };
    const y = {
      field: "value",
      type: "quantitative",
      title: "‖dA‖ / ‖A‖",
      scale: { type: "log", nice: false, padding: 10 },
      axis: { tickCount: 5, format: "~g" },
    };
    return taskRows(
      study,
      "Move of A by step",
      values,
      { order: panelOrder(study), sharedX: true },
      [
        { mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color, strokeDash } },
        { mark: { type: "point", filled: true, size: 50, opacity: 1 }, encoding: { x, y, color, shape } },
      ],
    );
  },
};
