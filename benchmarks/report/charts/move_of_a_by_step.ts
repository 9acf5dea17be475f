/** @file How far each step moves A, over training. */
import type { Chart } from "./chart.ts";
import { measuredByStep } from "./measured_by_step.ts";

/** Relative move of A by step. */
export const moveOfAByStep: Chart = {
  id: "move-of-a-by-step",
  title: "How far does each step move A?",
  caption:
    "‖A after the step − A before it‖ / ‖A before it‖: mean over target modules and seeds, both axes logarithmic. A start at B = 0 " +
    "leaves A where it is in the first step, which a logarithm has no place for; LoRA-Pro, which divides by BᵀB, then " +
    "moves it far in the second. Of many methods each has a panel, with LoRA's curves behind in grey.",
  draw: (study) =>
    measuredByStep(study, {
      title: moveOfAByStep.title,
      axis: "‖dA‖ / ‖A‖",
      logarithmicSteps: true,
      read: (one) => one.moveOfA,
    }),
};
