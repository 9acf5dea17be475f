/** @file LoRA: W + (alpha/r) B A with A random and B zero, both followed by AdamW or by another base optimizer. */
import {
  baseFootprint,
  type BaseOptions,
  baseRule,
  baseWork,
  describeBase,
  validateBase,
} from "./base_optimizers/base_rule.ts";
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
export type LoraOptions = LowRankOptions & BaseOptions;
const defaults: LoraOptions = { ...lowRankDefaults, base: "adamw" };

/**
 * LoRA. Options: `rank`, `alpha`, `scaling` ("alpha/r" as in the paper, or "alpha/sqrt(r)") and AdamW's.
 *
 * Option `base` is what follows the factors: "adamw" (default), or "sgd", "lion" or "muon", for which see `baseRule`. AdamW's
 * `beta1`, `beta2` and `epsilon` then count for a head alone, which AdamW always follows.
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
  laterOptions: ["base"],
  validate: (options, targetModules) =>
    validateBase(options, targetModules) ?? validateLowRank(options, targetModules),
  describe: (options) => [options.scaling, ...describeBase(options)].join(", "),
  stepWork: (options, sizes) => lowRankWork(options, sizes, baseWork(options)),
  footprint: (options, model) => lowRankFootprint(options, model, baseFootprint(options, model)),
  takesLoftq: true,
  attach: (setup, options) =>
    attachLowRank(setup, options, options.base === "adamw" ? {} : { rule: baseRule }),
});
