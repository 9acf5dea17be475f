/** @file What each learning rate of a sweep's grid scored. */
import type { Cell } from "../../study/study.ts";
import type { Chart } from "./chart.ts";
import { drawCurves, short } from "../drawing/curves.ts";
import { RATE_AXIS, rateMarks } from "../drawing/rate_marks.ts";

/** Score by peak learning rate, the rate that speaks for a method ringed. */
export const scoreByRate: Chart = {
  id: "score-by-rate",
  title: "How much does the score depend on the learning rate?",
  caption:
    "Test score at each peak learning rate that the sweep ran. Small marks are single runs, the strong line " +
    "is the mean over seeds. The ringed rate has the lowest validation loss and stands for the method " +
    "elsewhere; “edge” says that it is the first or last that was tried, so a better one may lie outside. A " +
    "cross at the top is a rate at which a run diverged. Of many methods each has a panel, with LoRA's mean " +
    "behind in grey.",
  draw: (study) =>
    drawCurves(study, {
      title: scoreByRate.title,
      subtitle: "Ringed: the rate with the least validation loss; crosses: runs diverged",
      rates: "every",
      rows: study.cells.flatMap((cell) => cell.grid.length < 2 ? [] : rowsOf(cell)),
      joinsRates: true,
      x: RATE_AXIS,
      y: { title: "Score", scale: { type: "linear", zero: false } },
      more: rateMarks,
    }),
};

function rowsOf({ task, method, rank, learningRate: chosen, grid }: Cell) {
  return grid.flatMap(({ learningRate, runs, diverged }, i) => {
    const row = {
      task: task.id,
      method: method.label,
      rank,
      rate: learningRate,
      best: learningRate === chosen,
      edge: i === 0 || i === grid.length - 1,
      step: [learningRate],
    };
    return [
      ...runs.map(({ id, config, outcome }) => ({
        ...row,
        seed: config.seed,
        run: id,
        value: [short(outcome.score)],
      })),
      ...diverged.map((seed) => ({ ...row, seed, diverged: true, value: [null] })),
    ];
  });
}
