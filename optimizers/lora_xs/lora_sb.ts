/** @file LoRA-SB: a trained r × r factor between frozen ones, from the best low-rank part of full fine-tuning's first step. */
import { adamwDefaults, type AdamwOptions } from "../adamw.ts";
import {
  attachLowRank,
  lowRankDefaults,
  type LowRankOptions,
  middleFootprint,
  middleForm,
  middleWork,
  validateLowRank,
} from "../low_rank.ts";
import { defineOptimizer, type Factors, type OptimizerModule, type Setup } from "../optimizer.ts";
import {
  decompose,
  describeWeightSvd,
  validateWeightSvd,
  weightSvdDefaults,
  type WeightSvdOptions,
} from "../pissa.ts";

/** Settings of LoRA-SB. */
export type LoraSbOptions = AdamwOptions & WeightSvdOptions & {
  /** r, from 1 to the smaller side of every adapted map. */
  rank: number;
  /** η of the step that the start is a part of. */
  startRate: number;
  /** Training batches whose mean gradient the start takes. */
  gradientBatches: number;
};
const defaults: LoraSbOptions = {
  rank: 8,
  startRate: 1e-4,
  gradientBatches: 8,
  ...weightSvdDefaults,
  ...adamwDefaults,
};

/** As a member of the LoRA family with s = 1. */
function asLowRank(options: LoraSbOptions): LowRankOptions {
  return { ...lowRankDefaults, ...options, alpha: options.rank, scaling: "alpha/r" };
}

/**
 * LoRA-SB: W + B R A. With G the mean full gradient over `gradientBatches` training batches and −η sign(G) = U S Vᵀ, B = U_r and
 * A = V_rᵀ of the r largest singular values are frozen, and AdamW follows R, r × r, from S_r. The base weight stays as it is: the start
 * moves W by the best approximation of rank r of AdamW's first step. As B and A are orthonormal, R's gradient Bᵀ G Aᵀ needs no
 * correction, and there is no alpha. Ranks are some times LoRA's: published runs have 32 to 96.
 *
 * η is the option `startRate`. Published code takes the learning rate's peak over the steps of its warm-up, which is the rate of a
 * run's first step; a method does not know that here. Its signs are of some 50 examples.
 *
 * Options `svd` and `iterations` are PiSSA's. A and B count as state: without them a run cannot go on.
 *
 * The equivalent gradient is B Bᵀ G Aᵀ A, the projection of G on B's columns and A's rows.
 * Source: Ponkshe et al., arXiv 2411.19557, algorithm 1.
 */
export const loraSb: OptimizerModule<LoraSbOptions> = defineOptimizer({
  id: "lora-sb",
  title: "LoRA-SB",
  source: "https://arxiv.org/abs/2411.19557",
  paper: {
    title:
      "Initialization using Update Approximation is a Silver Bullet for Extremely Efficient Low-Rank Fine-Tuning",
    authors: [
      "Kaustubh Ponkshe",
      "Raghav Singhal",
      "Eduard Gorbunov",
      "Alexey Tumanov",
      "Samuel Horvath",
      "Praneeth Vepakomma",
    ],
    year: 2024,
  },
  defaults,
  validate(options, targetModules) {
    const { startRate, gradientBatches } = options;
    if (!(startRate > 0 && Number.isFinite(startRate))) {
      return `startRate is ${startRate}, a positive number is needed`;
    }
    if (!(Number.isInteger(gradientBatches) && gradientBatches >= 1)) {
      return `gradientBatches is ${gradientBatches}, a whole number of 1 or more is needed`;
    }
    return validateWeightSvd(options) ?? validateLowRank(asLowRank(options), targetModules);
  },
  describe: (options) =>
    [
      ...options.startRate === defaults.startRate ? [] : [`start ${options.startRate}`],
      ...describeWeightSvd(options),
    ].join(", "),
  stepWork: (options, sizes) => middleWork(asLowRank(options), sizes),
  footprint: (options, model) => ({ ...middleFootprint(asLowRank(options), model), fullGradients: true }),
  startsMoved: true,
  attach(setup, options) {
    let starts: ReadonlyMap<Factors, Float64Array> = new Map();
    return attachLowRank(setup, asLowRank(options), {
      trainsA: false,
      trainsB: false,
      initialize: async (setup, factors) => {
        starts = await startFromSigns(setup, factors, options);
      },
      form(setup, factors) {
        const form = middleForm(setup, factors), { rank } = options;
        factors.forEach((pair, i) => {
          const middle = new Float32Array(rank * rank);
          starts.get(pair)!.forEach((value, k) => middle[k * rank + k] = value);
          setup.gpu.write(form.added[i]!.value, middle);
        });
        return form;
      },
    });
  },
});

/** Fills A and B with the singular vectors of −η sign(G), and gives its singular values. */
async function startFromSigns(
  { gpu, fullGradients, random }: Setup,
  factors: readonly Factors[],
  options: LoraSbOptions,
): Promise<ReadonlyMap<Factors, Float64Array>> {
  const byTargetModule = new Map(factors.map((pair) => [pair.targetModule, pair]));
  const starts = new Map<Factors, Float64Array>();
  for await (const { targetModule, gradient } of fullGradients(options.gradientBatches)) {
    const pair = byTargetModule.get(targetModule)!;
    using _ = gpu.scope("LoRA-SB's start", "scratch");
    const step = (await gpu.download(gradient)).map((value) => -options.startRate * Math.sign(value));
    const { left, values, right } = await decompose(
      gpu,
      gpu.upload(step, "f32", gradient.shape, "step along signs"),
      options,
      random.fork(`svd ${targetModule.name}`),
    );
    gpu.write(pair.a.value, Float32Array.from(right));
    gpu.write(pair.b.value, Float32Array.from(left));
    starts.set(pair, values);
  }
  return starts;
}
