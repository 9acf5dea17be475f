/** @file How peak memory grows with tokens, width, layers and rank. */
import type { Chart } from "./chart.ts";
import { growthPanels } from "../drawing/growth_panels.ts";

const MIB = 1024 ** 2;

/** Peak bytes by size, measured and fitted. */
export const growthOfPeakBytes: Chart = {
  id: "growth-of-peak-bytes",
  title: "How does peak memory grow with size?",
  caption:
    "The most that was alive on the GPU at once, when one size changes and the others stay. Lines: a multiple of what " +
    "is alive all the time (weights, factors, gradients, state) and one of what a forward pass leaves for its backward " +
    "pass, both counted by formula and fitted for each method. Both axes are logarithmic.",
  draw: (study) =>
    growthPanels(study, {
      title: growthOfPeakBytes.title,
      unit: "Peak, MiB",
      measured: ({ peakBytes }) => peakBytes / MIB,
      fitted: ({ memory }, { count }) => memory === null ? null : memory.predict(count) / MIB,
    }),
};
