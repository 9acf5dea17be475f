/** @file How much of each step is second order, over training. */
import type { Chart } from "./chart.ts";
import { measuredByStep } from "./measured_by_step.ts";

/** The second-order part of a step over its first-order part, by step. */
export const secondOrderByStep: Chart = {
  id: "second-order-by-step",
  title: "How much of a step does the equivalent gradient not tell of?",
  caption:
    "‖s dB dA‖ / ‖s (B dA + dB A)‖ of the steps that were taken, moments and all: mean over target modules and seeds, logarithmic. " +
    "Where it is not small, the step is not what the equivalent gradient says. Methods that move one factor at a time " +
    "have a share of 0 and no line, methods whose weight is not W + s B A have none. " +
    "Of many methods each has a panel, with LoRA's curves behind in grey.",
  draw: (study) =>
    measuredByStep(study, {
      title: secondOrderByStep.title,
      axis: "second / first order",
      read: (one) => one.secondOrderShare,
    }),
};
