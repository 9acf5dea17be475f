/** @file How far each step moves A, over training. */
import type { Chart } from "./chart.ts";
import { measuredByStep } from "./measured_by_step.ts";

/** Relative move of A by step. */
export const moveOfAByStep: Chart = {
  id: "move-of-a-by-step",
  title: "How far does each step move A?",
  caption:
    "‖A after the step − A before it‖ / ‖A before it‖: mean over target modules and seeds, both axes " +
    "logarithmic. Where B starts at 0, the first step leaves A as it is, and a logarithmic axis has no " +
    "place for that. LoRA-Pro divides by BᵀB, so its second step then moves A far. Of many methods each has " +
    "a panel, with LoRA's curves behind in grey.",
  draw: (study) =>
    measuredByStep(study, {
      title: moveOfAByStep.title,
      axis: "‖dA‖ / ‖A‖",
      logarithmicSteps: true,
      read: (one) => one.moveOfA,
    }),
};
