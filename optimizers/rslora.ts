/** @file rsLoRA: LoRA whose scale falls with the root of the rank, so that high ranks learn as fast as low ones. */
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  validateLowRank,
} from "./low_rank.ts";
import { defineOptimizer, type OptimizerModule } from "./optimizer.ts";

/** Settings of rsLoRA. */
export type RsloraOptions = LowRankOptions;
const SCALING = "alpha/sqrt(r)";
const defaults: RsloraOptions = { ...lowRankDefaults, scaling: SCALING };

/**
 * rsLoRA: W + (alpha/√r) B A, started and trained as LoRA is. `scaling` is there so that settings may name it; "alpha/r"
 * would be method "lora" under this name, and is refused.
 *
 * Source: Kalajdzievski, arXiv 2312.03732, theorem 3.2; PEFT's `use_rslora`.
 */
export const rslora: OptimizerModule<RsloraOptions> = defineOptimizer({
  id: "rslora",
  title: "rsLoRA",
  source: "https://arxiv.org/abs/2312.03732",
  paper: {
    title: "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA",
    authors: ["Damjan Kalajdzievski"],
    year: 2023,
  },
  defaults,
  validate: (options, targetModules) =>
    options.scaling === "alpha/r"
      ? `scaling is "alpha/r", which is method "lora", "${SCALING}" is needed`
      : validateLowRank(options, targetModules),
  describe: (options) => options.scaling,
  stepWork: (options, sizes) => lowRankWork(options, sizes),
  footprint: (options, model) => lowRankFootprint(options, model),
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options),
});
