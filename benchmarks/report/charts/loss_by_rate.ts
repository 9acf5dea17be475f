/** @file What each learning rate of a grid came to: the evidence behind the rates in use. */
import type { Chart } from "./chart.ts";
import { isFor } from "../../study/make_study.ts";
import { drawCurves, short } from "../drawing/curves.ts";
import { RATE_AXIS, rateMarks } from "../drawing/rate_marks.ts";

/** Final validation loss by peak learning rate, the chosen rate ringed. */
export const lossByRate: Chart = {
  id: "loss-by-rate",
  title: "How much does the validation loss depend on the learning rate?",
  caption:
    "The tuning behind this sweep: validation loss at the end of training, by peak learning rate, on " +
    "logarithmic axes. Small marks are single runs, the strong line is their mean. The ringed rate was " +
    "chosen; “edge” says that it is the first or last that was tried, so a wider grid may hold a better " +
    "one. A cross at the top is a rate at which a run diverged. Of many methods each has a panel, with " +
    "LoRA's mean behind in grey.",
  draw: (study) =>
    drawCurves(study, {
      title: lossByRate.title,
      subtitle: "Ringed: the chosen rate; crosses: runs diverged",
      rates: "every",
      rows: study.cells.flatMap((cell) => {
        const rate = study.rates.find((known) => isFor(known, cell.task, cell.method, cell.rank));
        if (!rate || rate.evidence.length < 2) return [];
        return rate.evidence.flatMap(({ learningRate, seeds, validationLosses }) =>
          seeds.map((seed, i) => {
            const loss = validationLosses[i]!;
            const run = cell.grid.find((at) => at.learningRate === learningRate)?.runs.find(({ config }) =>
              config.seed === seed
            );
            return {
              task: cell.task.id,
              method: cell.method.label,
              rank: cell.rank,
              seed,
              rate: learningRate,
              best: learningRate === rate.learningRate,
              edge: rate.atEdge,
              ...run && { run: run.id },
              ...loss === null && { diverged: true },
              step: [learningRate],
              // A logarithm has no place for a loss of 0.
              value: [loss === null || loss <= 0 ? null : short(loss)],
            };
          })
        );
      }),
      joinsRates: true,
      x: RATE_AXIS,
      y: { title: "Validation loss" },
      more: rateMarks,
    }),
};
