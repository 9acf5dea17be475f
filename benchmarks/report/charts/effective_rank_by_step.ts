/** @file Over how many directions each method has changed the weights, over training. */
import type { Chart } from "./chart.ts";
import { measuredByStep } from "./measured_by_step.ts";

/** Effective rank of the accumulated change by step. */
export const effectiveRankByStep: Chart = {
  id: "effective-rank-by-step",
  title: "Over how many directions has each method changed the weights?",
  caption:
    "Effective rank of W_eff now − W_eff at the start, exp of the entropy of its singular values (Roy and Vetterli, 2007): " +
    "mean over target modules and seeds, logarithmic. It is at most the smaller side of a map, for full fine-tuning, and at most " +
    "twice the rank for W + s B A, whose factors may both turn away from their start. " +
    "Of many methods each has a panel, with LoRA's curves behind in grey.",
  draw: (study) =>
    measuredByStep(study, {
      title: effectiveRankByStep.title,
      axis: "effective rank",
      read: (one) => one.effectiveRank,
    }),
};
