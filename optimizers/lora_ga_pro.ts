/** @file LoRA-GA's start with LoRA-Pro's rule. */
import {
  describeGradientStart,
  gradientStartDefaults,
  type GradientStartOptions,
  loraGa,
  startFromGradient,
} from "./lora_ga.ts";
import { loraPro, type LoraProOptions, loraProRule } from "./lora_pro/lora_pro.ts";
import { attachLowRank } from "./low_rank.ts";
import { defineOptimizer, type OptimizerModule } from "./optimizer.ts";

/** Settings of LoRA-GA's start with LoRA-Pro's rule. */
export type LoraGaProOptions = LoraProOptions & GradientStartOptions;
const defaults: LoraGaProOptions = {
  ...loraPro.defaults,
  scaling: loraGa.defaults.scaling,
  ...gradientStartDefaults,
};

/**
 * LoRA-GA's start with LoRA-Pro's rule. LoRA-Pro's closed form needs the inverse of BᵀB,
 * and at LoRA's own start B is 0: its second step then moves A by the order of its norm. Here B has orthogonal columns of
 * equal length from the start, so every step, the first one in mode "full" included, follows the projection of the full
 * gradient, and the first one sees the 2r largest of its singular values.
 *
 * Options are both methods'; `scaling` is alpha/√r by default, as for LoRA-GA.
 * Source: Wang et al., arXiv 2407.05000 (start); Wang et al., arXiv 2407.18242 (rule).
 */
export const loraGaPro: OptimizerModule<LoraGaProOptions> = defineOptimizer({
  id: "lora-ga-pro",
  title: "LoRA-GA + LoRA-Pro",
  source: "https://arxiv.org/abs/2407.18242",
  paper: {
    title: "LoRA-Pro: Are Low-Rank Adapters Properly Optimized?",
    authors: ["Zhengbo Wang", "Jian Liang", "Ran He", "Zilei Wang", "Tieniu Tan"],
    year: 2024,
  },
  defaults,
  validate: (options, targetModules, steps) =>
    loraGa.validate(options, targetModules, steps) ?? loraPro.validate(options, targetModules, steps),
  describe: (options) => [loraPro.describe(options), ...describeGradientStart(options)].join(", "),
  stepWork: (options, sizes) => loraPro.stepWork(options, sizes),
  footprint: (options, model) => ({ ...loraPro.footprint(options, model), fullGradients: true }),
  attach: (setup, options) =>
    attachLowRank(setup, options, { initialize: startFromGradient, rule: loraProRule }),
});
