/** @file How the validation loss falls over training, by the seconds that training took. */
import type { Chart } from "./chart.ts";
import { drawCurves, thinned } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";

/** Validation loss by seconds of training. */
export const lossBySeconds: Chart = {
  id: "loss-by-seconds",
  title: "How fast does the validation loss fall, second by second?",
  caption:
    "Validation loss by seconds of training: the time to attach the method, then each step at the run's " +
    "median step time. Validation and telemetry are left out, and compilation except where a run was too " +
    "short (see “Before believing it”). Single runs are faint, the mean over seeds is strong. Seconds are " +
    "those of the machine that ran the sweep. Of many methods each has a panel, with LoRA's mean behind in " +
    "grey.",
  draw: (study) =>
    drawCurves(study, {
      title: lossBySeconds.title,
      rows: runRows(study, ({ outcome: { validationLoss, cost } }) => {
        const points = validationLoss.filter(({ value }) => value > 0);
        if (points.length === 0 || cost.medianStepMs === null) return null;
        return { ...thinned(points), attachMs: Math.round(cost.attachMs), stepMs: cost.medianStepMs };
      }),
      place: [{ calculate: "(datum.attachMs + datum.step * datum.stepMs) / 1000", as: "x" }],
      x: { title: "Training, s" },
      y: { title: "Validation loss" },
    }),
};
