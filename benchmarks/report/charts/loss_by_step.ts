/** @file How the validation loss falls over training, by step. */
import type { Chart } from "./chart.ts";
import { drawCurves, thinned } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";

/** Validation loss by step. */
export const lossByStep: Chart = {
  id: "loss-by-step",
  title: "How fast does the validation loss fall, step by step?",
  caption:
    "Validation loss by step, on a logarithmic axis. Single runs are faint; the mean over seeds is strong, " +
    "with its points of measurement. Methods without a rank are drawn in every panel. Of many methods each " +
    "has a panel, with LoRA's mean behind in grey.",
  draw: (study) =>
    drawCurves(study, {
      title: lossByStep.title,
      rows: runRows(study, (run) => {
        // A logarithm has no place for a loss of 0.
        const points = run.outcome.validationLoss.filter(({ value }) => value > 0);
        return points.length === 0 ? null : thinned(points);
      }),
      x: { title: "Step" },
      y: { title: "Validation loss" },
    }),
};
