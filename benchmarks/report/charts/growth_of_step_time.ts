/** @file How the time of a step grows with tokens, width, layers and rank. */
import type { Chart } from "./chart.ts";
import { growthPanels } from "../drawing/growth_panels.ts";

/** Step time by size, measured and fitted. */
export const growthOfStepTime: Chart = {
  id: "growth-of-step-time",
  title: "How does the time of a step grow with size?",
  caption:
    "Median time of a step when one size changes and the others stay. Lines: a constant, a constant for each linear " +
    "map, counted FLOPs over a rate and counted memory traffic over a bandwidth, fitted for each method. Both axes are " +
    "logarithmic: parallel lines differ by a factor, a steeper line grows faster.",
  draw: (study) =>
    growthPanels(study, {
      title: growthOfStepTime.title,
      unit: "Step, ms",
      measured: ({ stepMs }) => stepMs,
      fitted: ({ time }, { count }) => time?.predict(count) ?? null,
    }),
};
