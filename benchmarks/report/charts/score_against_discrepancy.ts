/** @file Whether a method that is nearer to the full gradient scores higher. */
import { mean } from "../../statistics/statistics.ts";
import type { Chart } from "./chart.ts";
import { EXACT, short } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import { meansOverRuns, meansTooltip, ONE_A_GROUP, runTooltip } from "../drawing/means.ts";
import { taskPanels } from "../drawing/panels.ts";
import { methodScales, NUMBERS } from "../drawing/scales.ts";

/** Final score against the mean gradient discrepancy of training. */
export const scoreAgainstDiscrepancy: Chart = {
  id: "score-against-discrepancy",
  title: "Do methods nearer to the full gradient score higher?",
  caption:
    "Test score against ‖g̃ − G‖ / ‖G‖, mean over linear maps and measured steps. Small marks are single " +
    "runs; large ones are means over seeds, larger for higher ranks. Full fine-tuning stands at 0. If points " +
    "rise to the left, nearer methods score higher. Methods differ in more than this distance, so that proves " +
    "no cause.",
  draw(study) {
    const rows = runRows(
      study,
      ({ outcome: { discrepancies, score } }) =>
        discrepancies.length === 0 ? null : {
          discrepancy: short(mean(discrepancies.map((one) => one.gradientError))),
          score: short(score),
        },
    );
    if (!rows.some(({ discrepancy }) => discrepancy > EXACT)) return null;
    const { color, shape } = methodScales(study, rows), { ranks } = study;
    const x = {
      field: "discrepancy",
      type: "quantitative",
      title: "Mean ‖g̃ − G‖ / ‖G‖",
      // Distances reach from 0 over 1 to whatever the scale of g̃ makes of them.
      scale: { type: "symlog", constant: 1, nice: false, padding: 24 },
      axis: { grid: false, tickCount: 6, ...NUMBERS, labelOverlap: true },
    };
    const y = { field: "score", type: "quantitative", title: "Score", scale: { zero: false, padding: 14 } };
    const meanX = { ...x, field: "discrepancyMean" }, meanY = { ...y, field: "scoreMean" };
    const numbers = [{ heading: "Score", field: "score" }, { heading: "Discrepancy", field: "discrepancy" }];
    return taskPanels(study, {
      title: scoreAgainstDiscrepancy.title,
      subtitle: `Small: single runs; large: means over seeds${
        ranks.length > 1 ? ", larger for higher ranks" : ""
      }`,
      rows,
      transform: meansOverRuns(["score", "discrepancy"]),
      layer: [
        {
          mark: {
            type: "point",
            filled: true,
            size: 14,
            opacity: 0.45,
            aria: false,
            tooltip: runTooltip(numbers),
          },
          encoding: { x, y, color },
        },
        {
          transform: [ONE_A_GROUP],
          mark: {
            type: "point",
            filled: true,
            size: 80,
            opacity: 1,
            aria: false,
            tooltip: meansTooltip(numbers),
          },
          encoding: { x: meanX, y: meanY, color, shape, ...ranks.length > 1 && { size: rankSize(ranks) } },
        },
      ],
    });
  },
};

/** Pixels of area of a mean, by rank: ranks written beside the marks lie on each other where methods are alike. */
function rankSize(ranks: readonly number[]): object {
  const size = {
    field: "rank",
    type: "ordinal",
    scale: { domain: ranks, range: [45, 180] },
    legend: { orient: "bottom", title: "Rank", symbolType: "circle", symbolOpacity: 1 },
  };
  // What has no rank keeps the size of the mark.
  return { condition: { test: "isValid(datum.rank)", ...size }, value: 80 };
}
