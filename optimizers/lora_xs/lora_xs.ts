/** @file LoRA-XS: a trained r × r factor between frozen ones, the weight's own largest singular directions. */
import {
  attachLowRank,
  lowRankDefaults,
  type LowRankOptions,
  middleFootprint,
  middleForm,
  middleWork,
  validateLowRank,
} from "../low_rank.ts";
import { defineOptimizer, type OptimizerModule } from "../optimizer.ts";
import {
  decomposeWeight,
  describeWeightSvd,
  validateWeightSvd,
  weightSvdDefaults,
  type WeightSvdOptions,
} from "../pissa.ts";

/** Settings of LoRA-XS. */
export type LoraXsOptions = LowRankOptions & WeightSvdOptions;
const defaults: LoraXsOptions = { ...lowRankDefaults, ...weightSvdDefaults };

/**
 * LoRA-XS: W + s B R A. With W = U S Vᵀ, A = S_r V_rᵀ and B = U_r of the r largest singular values are frozen, and AdamW follows R,
 * r × r, whose gradient is s Bᵀ G Aᵀ. The numbers that are trained don't grow with the model, so ranks are some times LoRA's:
 * published runs have 4 to 64, and alpha r or 16.
 *
 * R starts at 0, so that the weight starts as it was; the published code draws it with a standard deviation of 1e-5. That A has
 * the singular values, and not B, is of that code and of the paper. Each column of R then moves the weight by as much as its
 * singular value is large.
 *
 * Options `svd` and `iterations` are PiSSA's. A and B count as state: without them a run cannot go on.
 *
 * The equivalent gradient is s² B Bᵀ G Aᵀ A: the projection on B's columns, with A's rows by their squared lengths.
 * Source: Bałazy et al., arXiv 2405.17604.
 */
export const loraXs: OptimizerModule<LoraXsOptions> = defineOptimizer({
  id: "lora-xs",
  title: "LoRA-XS",
  source: "https://arxiv.org/abs/2405.17604",
  paper: {
    title: "LoRA-XS: Low-Rank Adaptation with Extremely Small Number of Parameters",
    authors: ["Klaudia Bałazy", "Mohammadreza Banaei", "Karl Aberer", "Jacek Tabor"],
    year: 2024,
  },
  defaults,
  validate: (options, targetModules) => validateWeightSvd(options) ?? validateLowRank(options, targetModules),
  describe: (options) => [options.scaling, ...describeWeightSvd(options)].join(", "),
  stepWork: (options, sizes) => middleWork(options, sizes),
  footprint: (options, model) => middleFootprint(options, model),
  attach: (setup, options) =>
    attachLowRank(setup, options, {
      trainsA: false,
      trainsB: false,
      form: middleForm,
      async initialize({ gpu, random }, factors) {
        for (const { targetModule, a, b } of factors) {
          const { left, values, right } = await decomposeWeight(gpu, targetModule, options, random);
          gpu.write(
            a.value,
            Float32Array.from(right, (v, i) => values[Math.floor(i / targetModule.in)]! * v),
          );
          gpu.write(b.value, Float32Array.from(left));
        }
      },
    }),
});
