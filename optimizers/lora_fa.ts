/** @file LoRA-FA: LoRA with A frozen, whose gradient of B is scaled so that W follows the gradient as far as A lets it. */
import type { Gradients } from "../autodiff/tape.ts";
import { MAX_RANK } from "../kernels/mod.ts";
import { ADAMW_WORK, adamwState, createAdamw } from "./adamw.ts";
import {
  factorSides,
  inverseSquares,
  partsOf,
  scaledByOther,
  scalingFlops,
  scalingScratch,
  sideSizes,
  sideTables,
} from "./factor_sides.ts";
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  type Rule,
  validateLowRank,
} from "./low_rank.ts";
import { defineOptimizer, type Factors, noHostState, type OptimizerModule, type Setup } from "./optimizer.ts";

const CORRECTIONS = ["inverse", "none"] as const;
const ROOTS = ["corrected", "raw"] as const;

/** Settings of LoRA-FA. */
export type LoraFaOptions = LowRankOptions & {
  /** "inverse" or "none". */
  correction: string;
  /** Added to the diagonal of AAᵀ. */
  damping: number;
  /** The root of the second moment that epsilon is added to: "corrected" for the moment's start at 0, or "raw". */
  epsilonTo: string;
};
const defaults: LoraFaOptions = {
  ...lowRankDefaults,
  epsilon: 1e-6,
  correction: "inverse",
  damping: 1e-8,
  epsilonTo: "corrected",
};

/**
 * LoRA-FA. A stays at its random start, and Adam follows gB = (1/s²) dB (AAᵀ + `damping` I)⁻¹, whose equivalent gradient
 * is G P_A, the projection of the full gradient on A's rows: as near as a frozen A allows.
 *
 * Three rules go by the name. Option `correction`: "inverse" (default) is PEFT's, with its `epsilon` of 1e-6 and `damping`
 * of 1e-8; "none" is the paper's first version, Adam on dB itself. Epsilon is added to the root of the
 * bias-corrected second moment, as PyTorch's Adam has it; with `epsilonTo` "raw" to that of the moment itself, as PEFT's code
 * has it, which is epsilon / √(1 − beta2^t) at step t. A head has PyTorch's in any case.
 * A counts as state: without it a run cannot go on.
 *
 * Source: Zhang et al., arXiv 2308.03303; PEFT's `create_lorafa_optimizer`.
 */
export const loraFa: OptimizerModule<LoraFaOptions> = defineOptimizer({
  id: "lora-fa",
  title: "LoRA-FA",
  source: "https://arxiv.org/abs/2308.03303",
  paper: {
    title: "LoRA-FA: Memory-efficient Low-rank Adaptation for Large Language Models Fine-tuning",
    authors: ["Longteng Zhang", "Lin Zhang", "Shaohuai Shi", "Xiaowen Chu", "Bo Li"],
    year: 2023,
  },
  defaults,
  laterOptions: ["epsilonTo"],
  validate(options, targetModules) {
    const { correction, damping, epsilonTo } = options;
    if (!ROOTS.some((known) => known === epsilonTo)) {
      return `epsilonTo is "${epsilonTo}", known are ${ROOTS.join(", ")}`;
    }
    if (!CORRECTIONS.some((known) => known === correction)) {
      return `correction is "${correction}", known are ${CORRECTIONS.join(", ")}`;
    }
    if (!(damping >= 0 && Number.isFinite(damping))) return `damping is ${damping}, 0 or more is needed`;
    const most = correction === "none" ? Infinity : MAX_RANK;
    return validateLowRank(
      options,
      targetModules,
      (targetModule) => Math.min(targetModule.in, targetModule.out, most),
    );
  },
  describe: ({ scaling, correction, epsilonTo }) =>
    [
      scaling,
      ...correction === "inverse" ? [] : ["uncorrected"],
      ...epsilonTo === "corrected" ? [] : ["epsilon to the raw root"],
    ].join(", "),
  stepWork(options, sizes) {
    const { rank, correction } = options, corrected = correction === "inverse";
    const sum = (count: (targetModule: typeof sizes.targetModules[number]) => number) =>
      sizes.targetModules.reduce((total, targetModule) => total + count(targetModule), 0);
    const { flops, elements, state } = ADAMW_WORK;
    const work = lowRankWork(options, sizes, ({ in: columns, out }) => ({
      flops: flops * rank * out + (corrected ? scalingFlops(rank, out, columns) : 0),
      elements: elements * rank * out + (corrected ? 5 * rank * columns + 3 * rank * out : 0),
      state: state * rank * out + rank * columns,
    }));
    return {
      ...work,
      // Nothing asks for A's gradient, nor, below the first adapted map, for that of x Aᵀ.
      factorFlops: work.factorFlops -
        sum((targetModule) =>
          2 * rank * targetModule.rows *
          (targetModule.in + (targetModule.inputGradient ? 0 : targetModule.out))
        ),
      elements: work.elements -
        sum((targetModule) =>
          sizes.parts * rank * targetModule.in + targetModule.rows * (targetModule.in + rank)
        ),
      trained: sum((targetModule) => rank * targetModule.out),
      // A is state.
      added: sum((targetModule) => rank * targetModule.out),
    };
  },
  footprint(options, model) {
    const { rank, correction } = options,
      { targetModules, head } = model,
      corrected = correction === "inverse";
    const a = sideSizes(targetModules, rank, "a"), b = sideSizes(targetModules, rank, "b");
    return lowRankFootprint(options, model, {
      adapters: [b],
      trained: [...b, ...head],
      state: [a, ...adamwState(b)],
      tables: corrected ? [...sideTables(targetModules), [targetModules.length]] : [],
      scratch: corrected ? scalingScratch(targetModules, rank, "b").most : [],
    });
  },
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options, { trainsA: false, rule: loraFaRule }),
});

function loraFaRule({ gpu }: Setup, factors: readonly Factors[], options: LoraFaOptions): Rule {
  const { correction, damping, epsilon, beta2 } = options;
  const epsilonAt = (step: number) =>
    options.epsilonTo === "raw" ? epsilon / Math.sqrt(1 - beta2 ** step) : epsilon;
  const adamw = createAdamw(gpu, factors.map(({ b }) => b), options, epsilonAt);
  if (correction === "none") {
    return {
      state: adamw.state,
      hostState: noHostState,
      adjust: (gradients) => factors.map(({ b }) => ({ a: null, b: gradients.of(b) })),
      step: (gradients, at) => adamw.step(gradients, at),
    };
  }
  const sides = factorSides(gpu, factors), scaling = { damping, factors: inverseSquares(gpu, factors) };
  const scaled = (gradients: Gradients) =>
    partsOf(sides.b, scaledByOther(gpu, sides.b, sides.a, gradients, scaling));
  return {
    state: adamw.state,
    hostState: noHostState,
    adjust: (gradients) => scaled(gradients).map((b) => ({ a: null, b })),
    step(gradients, at) {
      const parts = scaled(gradients), places = new Map(factors.map(({ b }, i) => [b, parts[i]!]));
      adamw.step({ of: (parameter) => places.get(parameter)! }, at);
    },
  };
}
