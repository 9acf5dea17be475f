/** @file PiSSA: LoRA that starts at the weight's own largest singular directions and freezes the rest. */
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { truncatedSvd } from "../kernels/mod.ts";
import type { TargetModule } from "../models/model.ts";
import type { Random } from "../numerics/random.ts";
import type { TruncatedSvd } from "../numerics/svd.ts";
import {
  attachLowRank,
  foldProductOut,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  validateLowRank,
} from "./low_rank.ts";
import { defineOptimizer, type Factors, type OptimizerModule } from "./optimizer.ts";
import { copyWeight } from "./module_weight.ts";

/** How the weight's singular vectors are found. */
const SVDS = ["exact", "randomized"] as const;

/** How a start that takes the weight's singular vectors finds them. */
export type WeightSvdOptions = {
  /** "exact", in float64 on the host, or "randomized". */
  svd: string;
  /** Subspace iterations of the randomized decomposition, 0 or more. */
  iterations: number;
};
/** Their defaults. */
export const weightSvdDefaults: WeightSvdOptions = { svd: "exact", iterations: 16 };

/** Settings of PiSSA. */
export type PissaOptions = LowRankOptions & WeightSvdOptions;
const defaults: PissaOptions = { ...lowRankDefaults, ...weightSvdDefaults };

/**
 * PiSSA: with W = U S Vᵀ, B = U_r √(S_r / s) and A = √(S_r / s) V_rᵀ, so that s B A is the best approximation of W of
 * rank r, and the base weight reduced by it. From there on it is LoRA.
 *
 * Option `svd`: "exact" (default), or "randomized" with `iterations` subspace iterations (16 by default, PEFT's
 * "pissa_niter_16") from 2 r random directions, where PEFT takes r; it is exact where 2 r is a side of the weight.
 * The largest entry of each right vector is positive. Beyond the weight's rank columns of B and rows of A are 0, and
 * then so are their gradients: they stay unused.
 * Source: Meng, Wang and Zhang, arXiv 2404.02948, equations 2 to 4; PEFT's `init_lora_weights="pissa"`.
 */
export const pissa: OptimizerModule<PissaOptions> = defineOptimizer({
  id: "pissa",
  title: "PiSSA",
  source: "https://arxiv.org/abs/2404.02948",
  paper: {
    title: "PiSSA: Principal Singular Values and Singular Vectors Adaptation of Large Language Models",
    authors: ["Fanxu Meng", "Zhaohui Wang", "Muhan Zhang"],
    year: 2024,
  },
  defaults,
  validate: (options, targetModules) => validateWeightSvd(options) ?? validateLowRank(options, targetModules),
  describe: (options) => [options.scaling, ...describeWeightSvd(options)].join(", "),
  stepWork: (options, sizes) => lowRankWork(options, sizes),
  footprint: (options, model) => lowRankFootprint(options, model),
  attach: (setup, options) =>
    attachLowRank(setup, options, {
      async initialize({ gpu, random }, factors) {
        for (const pair of factors) {
          const triplets = await decomposeWeight(gpu, pair.targetModule, options, random);
          await startFromTriplets(gpu, pair, triplets);
        }
      },
    }),
});

/**
 * Fills A and B with as many triplets as they have ranks, B = U √(S / s) and A = √(S / s) Vᵀ, and takes s B A = U S Vᵀ out of
 * the weight. Waits for the GPU.
 */
export async function startFromTriplets(
  gpu: Gpu,
  pair: Factors,
  { left, values, right }: TruncatedSvd,
): Promise<void> {
  const { targetModule, a, b, scale } = pair, rank = values.length;
  const roots = values.map((value) => Math.sqrt(value / scale));
  gpu.write(a.value, Float32Array.from(right, (v, i) => roots[Math.floor(i / targetModule.in)]! * v));
  gpu.write(b.value, Float32Array.from(left, (u, i) => u * roots[i % rank]!));
  await foldProductOut(gpu, pair);
}

/** What is wrong with the decomposition's options, in one sentence, or null. */
export function validateWeightSvd({ svd, iterations }: WeightSvdOptions): string | null {
  if (!SVDS.some((known) => known === svd)) return `svd is "${svd}", known are ${SVDS.join(", ")}`;
  if (!(Number.isInteger(iterations) && iterations >= 0)) {
    return `iterations is ${iterations}, a whole number of 0 or more is needed`;
  }
  if (svd === "exact" && iterations !== weightSvdDefaults.iterations) {
    return `iterations is ${iterations} with svd "exact", which takes none: svd "randomized" is needed`;
  }
  return null;
}

/** What of the decomposition differs from its defaults. */
export function describeWeightSvd({ svd, iterations }: WeightSvdOptions): string[] {
  return svd === "exact" ? [] : [`randomized SVD, ${iterations} iterations`];
}

/** The `rank` largest singular values and vectors of a target module's weight. Waits for the GPU. */
export async function decomposeWeight(
  gpu: Gpu,
  targetModule: TargetModule,
  options: WeightSvdOptions & { readonly rank: number },
  random: Random,
): Promise<TruncatedSvd> {
  using _ = gpu.scope("SVD of a weight", "scratch");
  return await decompose(
    gpu,
    copyWeight(gpu, targetModule),
    options,
    random.fork(`svd ${targetModule.name}`),
  );
}

/** The `rank` largest singular values and vectors of a matrix. Waits for the GPU. */
export function decompose(
  gpu: Gpu,
  matrix: Tensor,
  { rank, svd, iterations }: WeightSvdOptions & { readonly rank: number },
  random: Random,
): Promise<TruncatedSvd> {
  return truncatedSvd(gpu, matrix, rank, random, { method: svd as (typeof SVDS)[number], iterations });
}
