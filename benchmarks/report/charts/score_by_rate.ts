/** @file What each learning rate of a sweep's grid scored. */
import { mean } from "../../statistics.ts";
import type { Chart } from "../report.ts";
import { GREY, methodPanels, own, rankColor, reference } from "./method_panels.ts";

/** Score by peak learning rate, a panel a method, the rate that speaks for it ringed. */
export const scoreByRate: Chart = {
  id: "score-by-rate",
  title: "Score by learning rate",
  caption:
    "Mean score over seeds at each peak learning rate that the sweep ran, a panel a method; LoRA's behind in grey. The " +
    "ringed rate has the least validation loss and speaks for the method elsewhere. A cross at the bottom is a rate at " +
    "which every run diverged.",
  draw(study) {
    const values = study.cells.flatMap((cell) =>
      cell.grid.length < 2 ? [] : cell.grid.flatMap(({ peak, runs, diverged }) => {
        if (runs.length === 0 && diverged.length === 0) return [];
        const score = runs.length > 0 ? mean(runs.map((run) => run.outcome.score)) : null;
        const chosen = peak === cell.peak && score !== null;
        return [{ task: cell.task.id, method: cell.method.label, rank: cell.rank, peak, score, chosen }];
      })
    );
    if (!values.some(({ score }) => score !== null)) return null;
    const x = {
      field: "peak",
      type: "quantitative",
      title: "Peak learning rate",
      scale: { type: "log", nice: false, padding: 10 },
      axis: { grid: false, format: "~e", labelOverlap: true, tickCount: 4 },
    };
    const y = {
      field: "score",
      type: "quantitative",
      title: "Score",
      scale: { zero: false },
      axis: { tickCount: 4 },
    };
    const color = rankColor(study);
    const finished = "isValid(datum.score)";
    return methodPanels(study, "Score by learning rate", values, [
      {
        transform: [...reference.transform, { filter: finished }],
        mark: { type: "line", strokeWidth: 1.5, color: GREY },
        encoding: { x, y, detail: { field: "series" } },
      },
      {
        transform: [...own.transform, { filter: finished }],
        mark: { type: "line", strokeWidth: 2, point: { filled: true, size: 30 } },
        encoding: { x, y, color },
      },
      {
        transform: [...own.transform, { filter: "datum.chosen" }],
        mark: { type: "point", shape: "circle", filled: false, size: 140, strokeWidth: 1.5, opacity: 1 },
        encoding: { x, y, color },
      },
      {
        transform: [...own.transform, { filter: `!${finished}` }],
        mark: { type: "point", shape: "cross", angle: 45, filled: true, size: 40, opacity: 1 },
        encoding: { x, y: { value: 126 }, color },
      },
    ]);
  },
};
