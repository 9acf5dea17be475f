/** @file Scaled AdamW: factor gradients preconditioned by the other factor's Gram matrix, then AdamW. */
import type { Gradients } from "../autodiff/tape.ts";
import { MAX_RANK } from "../kernels/mod.ts";
import { type Adamw, ADAMW_WORK, type AdamwOptions, adamwState, createAdamw } from "./adamw.ts";
import {
  type FactorSide,
  factorSides,
  largerOf,
  moduleOnes,
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
  type RuleWork,
  validateLowRank,
} from "./low_rank.ts";
import {
  defineOptimizer,
  type Factors,
  type Footprint,
  type ModelShapes,
  noHostState,
  type OptimizerModule,
  type Setup,
  type StepInfo,
} from "./optimizer.ts";

const ORDERS = ["simultaneous", "sequential"] as const;

/** Settings of scaled AdamW. */
export type ScaledAdamwOptions = LowRankOptions & {
  /** "simultaneous" or "sequential". */
  order: string;
  /** Added to the diagonals of BᵀB and AAᵀ. */
  damping: number;
};
const defaults: ScaledAdamwOptions = { ...lowRankDefaults, order: "simultaneous", damping: 1e-2 };

/**
 * Scaled AdamW, also called Riemannian preconditioning: AdamW follows gA = (BᵀB + `damping` I)⁻¹ dA and
 * gB = dB (AAᵀ + `damping` I)⁻¹.
 *
 * Option `order`: "simultaneous" (default, as in PEFT) scales both by the factors as they are before the step;
 * "sequential" (as in the authors' code) scales dB by the A that has just been updated, dB itself being of the old one.
 * `damping` is PEFT's 1e-2; the authors take 1e-6. Neither has LoRA-Pro's factor 1/s², which Adam divides out.
 *
 * Source: Zhang and Pilanci, arXiv 2402.02347, algorithm 2; PEFT's `create_riemannian_optimizer`.
 */
export const scaledAdamw: OptimizerModule<ScaledAdamwOptions> = defineOptimizer({
  id: "scaled-adamw",
  title: "Scaled AdamW",
  source: "https://arxiv.org/abs/2402.02347",
  paper: {
    title: "Riemannian Preconditioned LoRA for Fine-Tuning Foundation Models",
    authors: ["Fangzhao Zhang", "Mert Pilanci"],
    year: 2024,
  },
  defaults,
  validate(options, targetModules) {
    const { order, damping } = options;
    if (!ORDERS.some((known) => known === order)) {
      return `order is "${order}", known are ${ORDERS.join(", ")}`;
    }
    if (!(damping >= 0 && Number.isFinite(damping))) return `damping is ${damping}, 0 or more is needed`;
    return validateLowRank(
      options,
      targetModules,
      (targetModule) => Math.min(targetModule.in, targetModule.out, MAX_RANK),
    );
  },
  describe: ({ scaling, order, damping }) =>
    [scaling, ...order === "simultaneous" ? [] : [order], `damping ${damping}`].join(", "),
  stepWork: (options, sizes) => lowRankWork(options, sizes, scaledAdamwWork(options)),
  footprint: (options, model) => lowRankFootprint(options, model, scaledAdamwFootprint(options, model)),
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options, { rule: scaledAdamwRule }),
});

/** A target module's update, by formula. */
export function scaledAdamwWork(
  { rank }: Pick<LowRankOptions, "rank">,
): (targetModule: { readonly in: number; readonly out: number }) => RuleWork {
  const { flops, elements, state } = ADAMW_WORK;
  return ({ in: columns, out }) => {
    const factors = rank * (columns + out);
    return {
      flops: flops * factors + scalingFlops(rank, columns, out) + scalingFlops(rank, out, columns),
      elements: (elements + 8) * factors,
      state: state * factors,
    };
  };
}

/** What the rule keeps and makes, by formula. */
export function scaledAdamwFootprint(
  { rank }: Pick<LowRankOptions, "rank">,
  { targetModules }: ModelShapes,
): Partial<Footprint> {
  const a = sideSizes(targetModules, rank, "a"), b = sideSizes(targetModules, rank, "b");
  const ofA = scalingScratch(targetModules, rank, "a"), ofB = scalingScratch(targetModules, rank, "b");
  return {
    state: [...adamwState(a), ...adamwState(b)],
    tables: [...sideTables(targetModules), [targetModules.length]],
    scratch: largerOf(ofA.most, [...ofA.left, ...ofB.most]),
  };
}

/** AdamW on scaled gradients: see `scaledAdamw`. */
export function scaledAdamwRule(
  { gpu }: Setup,
  factors: readonly Factors[],
  options: AdamwOptions & Pick<ScaledAdamwOptions, "order" | "damping">,
): Rule {
  const { a, b } = factorSides(gpu, factors);
  const scaling = { damping: options.damping, factors: moduleOnes(gpu, factors.length) };
  const scaled = (side: FactorSide, gradients: Gradients) =>
    partsOf(side, scaledByOther(gpu, side, side === a ? b : a, gradients, scaling));
  const ofA = createAdamw(gpu, a.parameters, options), ofB = createAdamw(gpu, b.parameters, options);
  const follow = (
    adamw: Adamw,
    { parameters }: FactorSide,
    parts: ReturnType<typeof scaled>,
    at: StepInfo,
  ) => {
    const places = new Map(parameters.map((parameter, i) => [parameter, parts[i]!]));
    adamw.step({ of: (parameter) => places.get(parameter)! }, at);
  };
  return {
    state: [...ofA.state, ...ofB.state],
    hostState: noHostState,
    adjust(gradients) {
      const ofB = scaled(b, gradients);
      return scaled(a, gradients).map((gradient, i) => ({ a: gradient, b: ofB[i]! }));
    },
    step(gradients, at) {
      const gradientsA = scaled(a, gradients);
      if (options.order === "sequential") follow(ofA, a, gradientsA, at);
      const gradientsB = scaled(b, gradients);
      if (options.order === "simultaneous") follow(ofA, a, gradientsA, at);
      follow(ofB, b, gradientsB, at);
    },
  };
}
