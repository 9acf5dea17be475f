/** @file LoRA-One: LoRA from a start that is itself one step along the full gradient's best low-rank part. */
import { MAX_RANK, truncatedSvd } from "../kernels/mod.ts";
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  validateLowRank,
} from "./low_rank.ts";
import { scaledAdamwFootprint, scaledAdamwRule, scaledAdamwWork } from "./scaled_adamw.ts";
import { defineOptimizer, type Factors, type OptimizerModule, type Setup } from "./optimizer.ts";

const START_SCALES = ["paper", "stable"] as const;

/** Settings of LoRA-One. */
export type LoraOneOptions = LowRankOptions & {
  /** Length of the start's step: "paper" or "stable". */
  startScale: string;
  /** Divides the start: both factors are 1 / √gamma times singular vectors. */
  gamma: number;
  /** Training batches whose mean gradient the start takes. */
  gradientBatches: number;
  /** True for steps by scaled AdamW. */
  preconditioned: boolean;
  /** Added to the diagonals of BᵀB and AAᵀ where steps are preconditioned. */
  damping: number;
};
const defaults: LoraOneOptions = {
  ...lowRankDefaults,
  scaling: "alpha/sqrt(r)",
  startScale: "paper",
  gamma: 64,
  gradientBatches: 8,
  preconditioned: false,
  damping: 1e-6,
};

/**
 * LoRA-One: with −G = U S Vᵀ, G the mean full gradient over `gradientBatches` training batches, both factors take the
 * same r singular pairs,
 *
 *     B = c U[:, 0:r] √(S / S₀),    A = c √(S / S₀) V[:, 0:r]ᵀ,
 *
 * S₀ the largest singular value, and the base weight stays as it is: the start moves the effective weight by
 * −(s c² / S₀) times the best approximation of G of rank r. Then AdamW follows both factors. LoRA-GA takes disjoint
 * pairs instead and takes s B A out of the weight.
 *
 * Option `startScale`: "paper" (default) c = 1 / √gamma; "stable", as the authors' first code has it, multiplies that by
 * m^(1/4) / 4, m = out. `gamma` is tuned in the paper; 64 is the published command's, as is `scaling` alpha/√r.
 *
 * Option `preconditioned`: with true the steps after the start are those of scaled AdamW, in the order and with the `damping` of the
 * authors' code: "sequential", B by the A that has just moved, and 1e-6. That code does not correct moments for their start at 0.
 *
 * The repository's script for T5 (t5.sh) starts at m^(1/4) / √16 and takes preconditioned steps: `startScale` "stable", `gamma` 1 and
 * `preconditioned` true here, with `scaling` and `alpha` as they are.
 *
 * A direction in which G vanishes starts with both factors at 0, or at what rounding leaves of G. At 0 neither factor has
 * a gradient, so a target module with G = 0 stays as it is.
 * Source: Zhang, Liu and Chen, arXiv 2502.01235, algorithm 1.
 */
export const loraOne: OptimizerModule<LoraOneOptions> = defineOptimizer({
  id: "lora-one",
  title: "LoRA-One",
  source: "https://arxiv.org/abs/2502.01235",
  paper: {
    title:
      "LoRA-One: One-Step Full Gradient Could Suffice for Fine-Tuning Large Language Models, Provably and Efficiently",
    authors: ["Yuanhe Zhang", "Fanghui Liu", "Yudong Chen"],
    year: 2025,
  },
  defaults,
  laterOptions: ["preconditioned", "damping"],
  validate(options, targetModules) {
    const { startScale, gamma, gradientBatches, preconditioned, damping } = options;
    if (!START_SCALES.some((known) => known === startScale)) {
      return `startScale is "${startScale}", known are ${START_SCALES.join(", ")}`;
    }
    if (!(gamma > 0 && Number.isFinite(gamma))) return `gamma is ${gamma}, a positive number is needed`;
    if (!(Number.isInteger(gradientBatches) && gradientBatches >= 1)) {
      return `gradientBatches is ${gradientBatches}, a whole number of 1 or more is needed`;
    }
    if (!(damping >= 0 && Number.isFinite(damping))) return `damping is ${damping}, 0 or more is needed`;
    if (!preconditioned && damping !== defaults.damping) {
      return `damping is ${damping}, which only preconditioned steps take: preconditioned true is needed`;
    }
    const most = preconditioned ? MAX_RANK : Infinity;
    return validateLowRank(
      options,
      targetModules,
      (targetModule) => Math.min(targetModule.in, targetModule.out, most),
    );
  },
  describe: ({ scaling, startScale, gamma, preconditioned }) =>
    [
      scaling,
      ...startScale === defaults.startScale ? [] : [`scale ${startScale}`],
      ...gamma === defaults.gamma ? [] : [`gamma ${gamma}`],
      ...preconditioned ? ["preconditioned"] : [],
    ].join(", "),
  stepWork: (options, sizes) =>
    lowRankWork(options, sizes, options.preconditioned ? scaledAdamwWork(options) : undefined),
  footprint: (options, model) =>
    lowRankFootprint(options, model, {
      ...options.preconditioned ? scaledAdamwFootprint(options, model) : {},
      fullGradients: true,
    }),
  startsMoved: true,
  attach: (setup, options) =>
    attachLowRank(setup, options, {
      initialize,
      ...options.preconditioned && {
        rule: (setup: Setup, factors: readonly Factors[], options: LoraOneOptions) =>
          scaledAdamwRule(setup, factors, { ...options, order: "sequential" }),
      },
    }),
});

async function initialize(
  { gpu, fullGradients, random }: Setup,
  factors: readonly Factors[],
  { rank, startScale, gamma, gradientBatches }: LoraOneOptions,
): Promise<void> {
  const byTargetModule = new Map(factors.map((pair) => [pair.targetModule, pair]));
  for await (const { targetModule, gradient } of fullGradients(gradientBatches)) {
    const { a, b } = byTargetModule.get(targetModule)!;
    const { left, values, right } = await truncatedSvd(
      gpu,
      gradient,
      rank,
      random.fork(`svd ${targetModule.name}`),
    );
    const size = (startScale === "stable" ? targetModule.out ** 0.25 / 4 : 1) / Math.sqrt(gamma);
    const lengths = Array.from(values, (value) => value > 0 ? size * Math.sqrt(value / values[0]!) : 0);
    gpu.write(
      a.value,
      Float32Array.from(right, (value, i) => lengths[Math.floor(i / targetModule.in)]! * value),
    );
    // −G has G's right vectors, and its left ones turned round.
    gpu.write(b.value, Float32Array.from(left, (value, i) => -lengths[i % rank]! * value));
  }
}
