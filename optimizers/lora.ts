/** @file LoRA: W + (alpha/r) B A with A random and B zero, both followed by AdamW. */
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  validateLowRank,
} from "./low_rank.ts";
import { defineOptimizer, type OptimizerModule } from "./optimizer.ts";

/** Settings of LoRA. */
export type LoraOptions = LowRankOptions;
const defaults: LoraOptions = { ...lowRankDefaults };

/**
 * LoRA. Options: `rank`, `alpha`, `scaling` ("alpha/r" as in the paper, or "alpha/sqrt(r)") and AdamW's.
 * Source: Hu et al., arXiv 2106.09685; A as PEFT starts it.
 */
export const lora: OptimizerModule<LoraOptions> = defineOptimizer({
  id: "lora",
  title: "LoRA",
  source: "https://arxiv.org/abs/2106.09685",
  paper: {
    title: "LoRA: Low-Rank Adaptation of Large Language Models",
    authors: [
      "Edward J. Hu",
      "Yelong Shen",
      "Phillip Wallis",
      "Zeyuan Allen-Zhu",
      "Yuanzhi Li",
      "Shean Wang",
      "Lu Wang",
      "Weizhu Chen",
    ],
    year: 2021,
  },
  defaults,
  validate: (options, targetModules) => validateLowRank(options, targetModules),
  describe: (options) => options.scaling,
  stepWork: (options, sizes) => lowRankWork(options, sizes),
  footprint: (options, model) => lowRankFootprint(options, model),
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options),
});
