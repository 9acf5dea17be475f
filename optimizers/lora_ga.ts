/** @file LoRA-GA: LoRA from a start at which its first step follows the full gradient. */
import { truncatedSvd } from "../kernels/mod.ts";
import type { Random } from "../numerics/random.ts";
import {
  attachLowRank,
  foldProductOut,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  validateLowRank,
} from "./low_rank.ts";
import { defineOptimizer, type Factors, type OptimizerModule, type Setup } from "./optimizer.ts";
import { copyWeight } from "./module_weight.ts";

const DIRECTIONS = ["ArB2r", "A2rBr", "ArBr", "random"] as const;
const START_SCALES = ["stable", "gd", "unit", "weightS"] as const;

/** Settings of the start from the full gradient's singular vectors. */
export type GradientStartOptions = {
  /** Which of the first 2r pairs of singular vectors A and B take: "ArB2r", "A2rBr", "ArBr" or "random". */
  direction: string;
  /** Length of A's rows and B's columns: "stable", "gd", "unit" or "weightS". */
  startScale: string;
  /** Divides the start where `startScale` is "stable": both factors are m^(1/4) / √gamma times singular vectors. */
  gamma: number;
  /** Training batches whose mean gradient the start takes. */
  gradientBatches: number;
};
/** Their defaults: the authors' published run. */
export const gradientStartDefaults: GradientStartOptions = {
  direction: "ArB2r",
  startScale: "stable",
  gamma: 16,
  gradientBatches: 8,
};

/** Settings of LoRA-GA. */
export type LoraGaOptions = LowRankOptions & GradientStartOptions;
const defaults: LoraGaOptions = {
  ...lowRankDefaults,
  scaling: "alpha/sqrt(r)",
  ...gradientStartDefaults,
};

/**
 * LoRA-GA: with G = U S Vᵀ the mean full gradient over `gradientBatches` training batches, A takes r rows of Vᵀ and B r
 * columns of U, both times one number, and the base weight is reduced by s B A. `scaling` is alpha/√r by default, as in
 * the published command; "alpha/r" is the other one in use, and the two rank differently against other methods at a
 * shared learning rate, so reports name it.
 *
 * Option `direction`, counted from 0: "ArB2r" (default) A = V[:, 0:r]ᵀ and B = U[:, r:2r]; "A2rBr" the other way round;
 * "ArBr" A = V[:, 1:2r:2]ᵀ and B = U[:, 0:2r:2]; "random" a random half of the first 2r each, drawn for every target module. In
 * each, the first step's equivalent gradient holds the best approximation of G of rank 2r.
 *
 * Option `startScale`, the number: "stable" (default) m^(1/4) / √gamma with m = out; "gd" 1/s; "unit" 1; "weightS" the
 * mean of √(σ/s) over the r largest singular values σ of W.
 *
 * A and B come from different singular pairs, so their signs matter: the largest entry of each right vector is positive.
 * Source: Wang et al., arXiv 2407.05000, theorem 3.1 and section 3.3, and the authors' code, which all names are from.
 */
export const loraGa: OptimizerModule<LoraGaOptions> = defineOptimizer({
  id: "lora-ga",
  title: "LoRA-GA",
  source: "https://arxiv.org/abs/2407.05000",
  paper: {
    title: "LoRA-GA: Low-Rank Adaptation with Gradient Approximation",
    authors: ["Shaowen Wang", "Linxi Yu", "Jian Li"],
    year: 2024,
  },
  defaults,
  validate: (options, targetModules) =>
    validateGradientStart(options) ??
      // Every direction takes 2r singular pairs, so as many must exist.
      validateLowRank(options, targetModules, (targetModule) =>
        Math.floor(Math.min(targetModule.in, targetModule.out) / 2)),
  describe: (options) => [options.scaling, ...describeGradientStart(options)].join(", "),
  stepWork: (options, sizes) => lowRankWork(options, sizes),
  footprint: (options, model) => lowRankFootprint(options, model, { fullGradients: true }),
  attach: (setup, options) => attachLowRank(setup, options, { initialize: startFromGradient }),
});

/** What is wrong with the start's options, in one sentence, or null. */
export function validateGradientStart(
  { direction, startScale, gamma, gradientBatches }: GradientStartOptions,
): string | null {
  if (!DIRECTIONS.some((known) => known === direction)) {
    return `direction is "${direction}", known are ${DIRECTIONS.join(", ")}`;
  }
  if (!START_SCALES.some((known) => known === startScale)) {
    return `startScale is "${startScale}", known are ${START_SCALES.join(", ")}`;
  }
  if (!(gamma > 0 && Number.isFinite(gamma))) return `gamma is ${gamma}, a positive number is needed`;
  if (startScale !== "stable" && gamma !== gradientStartDefaults.gamma) {
    return `gamma is ${gamma}, which only startScale "stable" takes and "${startScale}" does not: leave it out`;
  }
  if (!(Number.isInteger(gradientBatches) && gradientBatches >= 1)) {
    return `gradientBatches is ${gradientBatches}, a whole number of 1 or more is needed`;
  }
  return null;
}

/** What of the start differs from its defaults. */
export function describeGradientStart({ direction, startScale, gamma }: GradientStartOptions): string[] {
  return [
    ...direction === gradientStartDefaults.direction ? [] : [direction],
    ...startScale === gradientStartDefaults.startScale ? [] : [`scale ${startScale}`],
    ...gamma === gradientStartDefaults.gamma ? [] : [`gamma ${gamma}`],
  ];
}

/** Fills A and B from the full gradient as LoRA-GA does, and takes s B A out of each weight. */
export async function startFromGradient(
  setup: Setup,
  factors: readonly Factors[],
  options: LowRankOptions & GradientStartOptions,
): Promise<void> {
  const { gpu, fullGradients, random } = setup;
  const { rank, direction, gradientBatches } = options;
  const byTargetModule = new Map(factors.map((pair) => [pair.targetModule, pair]));
  for await (const { targetModule, gradient } of fullGradients(gradientBatches)) {
    const pair = byTargetModule.get(targetModule)!, own = random.fork(`svd ${targetModule.name}`);
    const svd = await truncatedSvd(gpu, gradient, 2 * rank, own);
    const { ofA, ofB } = chosenVectors(direction, rank, own.fork("direction"));
    const size = await startSize(setup, pair, options);
    const a = Float32Array.from({ length: rank * targetModule.in }, (_, i) => {
      const row = Math.floor(i / targetModule.in), column = i % targetModule.in;
      return size * svd.right[ofA[row]! * targetModule.in + column]!;
    });
    const b = Float32Array.from({ length: targetModule.out * rank }, (_, i) => {
      const row = Math.floor(i / rank), column = i % rank;
      return size * svd.left[row * 2 * rank + ofB[column]!]!;
    });
    gpu.write(pair.a.value, a);
    gpu.write(pair.b.value, b);
    await foldProductOut(gpu, pair);
  }
}

/** What the singular vectors of a target module are multiplied by, before its weight is changed. */
async function startSize(
  { gpu, random }: Setup,
  { targetModule, scale }: Factors,
  { rank, startScale, gamma }: LowRankOptions & GradientStartOptions,
): Promise<number> {
  switch (startScale) {
    case "gd":
      return 1 / scale;
    case "unit":
      return 1;
    case "weightS": {
      using _ = gpu.scope("weight", "scratch");
      const own = random.fork(`svd of weight ${targetModule.name}`);
      const { values } = await truncatedSvd(gpu, copyWeight(gpu, targetModule), rank, own);
      return values.reduce((sum, value) => sum + Math.sqrt(value / scale), 0) / rank;
    }
    default:
      return targetModule.out ** 0.25 / Math.sqrt(gamma);
  }
}

/** Which of the first 2r singular vectors A and B take, in order. */
function chosenVectors(
  direction: string,
  rank: number,
  random: Random,
): { readonly ofA: readonly number[]; readonly ofB: readonly number[] } {
  const all = Array.from({ length: 2 * rank }, (_, i) => i);
  const first = all.slice(0, rank), second = all.slice(rank);
  switch (direction) {
    case "A2rBr":
      return { ofA: second, ofB: first };
    case "ArBr":
      return { ofA: all.filter((i) => i % 2 === 1), ofB: all.filter((i) => i % 2 === 0) };
    case "random": {
      const drawn = [...random.permutation(2 * rank)];
      return { ofA: drawn.slice(0, rank), ofB: drawn.slice(rank) };
    }
    default:
      return { ofA: first, ofB: second };
  }
}
