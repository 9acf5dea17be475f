/** @file Other optimizers than AdamW on the factors of the LoRA family: SGD, Lion and Muon. */
import type { Gradients } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import {
  accumulate,
  MAX_RANK,
  rightSvds,
  sgdUpdate,
  smallProducts,
  svdNumbers,
  svdScratchSizes,
  tallProducts,
} from "../../kernels/mod.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { groupsToShare } from "../../kernels/wgsl/groups.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import {
  factorSides,
  largerOf,
  sideGradients,
  sideRows,
  sideSizes,
  sideState,
  sideTables,
  smallSizes,
  svdFlops,
  zerosLike,
} from "../factor_sides.ts";
import type { LowRankOptions, Rule, RuleWork } from "../low_rank.ts";
import { type Factors, type Footprint, type ModelShapes, noHostState, type Setup } from "../optimizer.ts";
import lionSource from "./lion.wgsl" with { type: "text" };

const BASES = ["adamw", "sgd", "lion", "muon"] as const;
const TITLES: Readonly<Record<string, string>> = { sgd: "SGD", lion: "Lion", muon: "Muon" };

/** Which optimizer follows the factors. */
export type BaseOptions = {
  /** "adamw", "sgd", "lion" or "muon". */
  base: string;
};

/** Of SGD's momentum. */
const SGD_MOMENTUM = 0.9;
/** Lion's: what of its momentum the step has, and what stays. */
const LION = { blend: 0.9, stay: 0.99 };
/** Muon's; and the share of a moment's largest singular value below which one counts as 0. */
const MUON = { momentum: 0.95, floor: 5e-5 };

/** What is wrong with the base for these target modules, in one sentence, or null. */
export function validateBase(
  { base, rank }: BaseOptions & Pick<LowRankOptions, "rank">,
  targetModules: ModelShapes["targetModules"],
): string | null {
  if (!BASES.some((known) => known === base)) return `base is "${base}", known are ${BASES.join(", ")}`;
  if (base === "muon" && rank > MAX_RANK && targetModules.length > 0) {
    return `rank is ${rank}, at most ${MAX_RANK} is possible with base "muon"`;
  }
  return null;
}

/** What of the base differs from AdamW. */
export function describeBase({ base }: BaseOptions): string[] {
  return base === "adamw" ? [] : [TITLES[base]!];
}

/** The update of a target module's factors, by formula; absent where it is AdamW's. */
export function baseWork(
  { base, rank }: BaseOptions & Pick<LowRankOptions, "rank">,
): ((targetModule: { readonly in: number; readonly out: number }) => RuleWork) | undefined {
  if (base === "adamw") return undefined;
  return ({ in: columns, out }) => {
    const factors = rank * (columns + out);
    if (base === "sgd") return { flops: 5 * factors, elements: 6 * factors, state: factors };
    if (base === "lion") return { flops: 10 * factors, elements: 5 * factors, state: factors };
    return {
      flops: 6 * factors + svdFlops(rank, columns) + svdFlops(rank, out) + 4 * rank ** 3 + 2 * rank * factors,
      elements: 12 * factors,
      state: factors,
    };
  };
}

/** What the base keeps and makes beside the factors, by formula; nothing where it is AdamW. */
export function baseFootprint(
  { base, rank }: BaseOptions & Pick<LowRankOptions, "rank">,
  { targetModules }: ModelShapes,
): Partial<Footprint> {
  if (base === "adamw") return {};
  const kept = {
    state: SIDES.map((which) => sideSizes(targetModules, rank, which)),
    tables: [...sideTables(targetModules)],
  };
  if (base !== "muon") return kept;
  const small = smallSizes(targetModules, rank), numbers = [targetModules.length * svdNumbers(rank)];
  const [ofA, ofB] = SIDES.map((which) => {
    const own = [sideSizes(targetModules, rank, which), numbers];
    const bases = svdScratchSizes(rank, sideRows(targetModules, which), false);
    return largerOf([...own, ...bases], [...own, small]);
  });
  return {
    ...kept,
    tables: [...kept.tables, [targetModules.length], [targetModules.length]],
    scratch: largerOf(ofA!, ofB!),
  };
}

const SIDES = ["a", "b"] as const;

const lionKernel = composeKernel({
  name: "lion",
  source: lionSource,
  buffers: { g: "read", p: "read_write", m: "read_write" },
  uniforms: { count: "u32", rate: "f32", keep: "f32", blend: "f32", rest: "f32", stay: "f32", fresh: "f32" },
  constants: {},
}, { snippets });

/** p ← keep · p − rate · sign(0.9 m + 0.1 g), m ← 0.99 m + 0.01 g, in place; all have the same element count. */
export function lionUpdate(
  gpu: Gpu,
  { parameter, gradient, m }: { readonly parameter: Tensor; readonly gradient: Tensor; readonly m: Tensor },
  rate: number,
  keep = 1,
): void {
  const count = Math.ceil(elementCount(parameter.shape) / 4), { blend, stay } = LION;
  gpu.launch(lionKernel, {
    buffers: { g: gradient, p: parameter, m },
    uniforms: { count, rate, keep, blend, rest: 1 - blend, stay, fresh: 1 - stay },
    workgroups: groupsToShare(gpu, count),
  });
}

/**
 * Steps of the factors by another optimizer than AdamW, each after (1 − rate · decay) of the factor:
 *
 * - "sgd": m ← 0.9 m + g, and −rate · m, as PyTorch's SGD has it with that momentum.
 * - "lion": −rate · sign(0.9 m + 0.1 g), then m ← 0.99 m + 0.01 g. Its rates are 3 to 10 times smaller than AdamW's, and its decay
 *   as much larger. Source: Chen et al., arXiv 2302.06675.
 * - "muon": m ← 0.95 m + g, and −rate · 0.2 √(longer side of the factor) · msign(g + 0.95 m), with msign(X) = U Vᵀ of X = U S Vᵀ. The
 *   factor 0.2 √… gives steps the size of AdamW's, so its rates serve. Source: Jordan et al. (2024); Liu et al., arXiv
 *   2502.16982, for the factor.
 *
 * msign is that of a decomposition, 0 where a singular value is below 5e-5 of the largest; published code has five steps of a
 * polynomial, after which singular values are 0.7 to 1.2. At B = 0 the gradient of A is 0, and msign of it too.
 */
export function baseRule(
  { gpu }: Setup,
  factors: readonly Factors[],
  { base, weightDecay }: BaseOptions & Pick<LowRankOptions, "weightDecay">,
): Rule {
  const sides = factorSides(gpu, factors), { rank } = sides.a.matrices;
  const moments = { a: sideState(gpu, sides.a, "m"), b: sideState(gpu, sides.b, "m") };
  const lengths = base !== "muon" ? null : (() => {
    const ofSide = (sideOf: (pair: Factors) => number) =>
      gpu.upload(
        Float32Array.from(factors, (pair) => 0.2 * Math.sqrt(sideOf(pair))),
        "f32",
        [factors.length],
        "lengths of Muon's steps",
      );
    return { a: ofSide((pair) => pair.targetModule.in), b: ofSide((pair) => pair.targetModule.out) };
  })();
  const stepOf = (which: typeof SIDES[number], gradients: Gradients, rate: number) => {
    const side = sides[which], parameter = side.matrices.flat, m = moments[which].matrices.flat;
    const gradient = sideGradients(side, gradients).flat, keep = 1 - rate * weightDecay;
    if (base === "lion") return lionUpdate(gpu, { parameter, gradient, m }, rate, keep);
    sgdUpdate(gpu, m, gradient, -1, lengths ? MUON.momentum : SGD_MOMENTUM);
    if (!lengths) return sgdUpdate(gpu, parameter, m, rate, keep);
    using _ = gpu.scope("a side of Muon", "scratch");
    const ahead = zerosLike(gpu, side, "momentum ahead");
    gpu.copy(gradient, ahead.flat);
    accumulate(gpu, ahead.flat, m, MUON.momentum);
    const { v, values } = rightSvds(gpu, ahead);
    const by = smallProducts(gpu, v, v, {
      ...{ rank, f: "s/(s²+d)", values, factors: lengths[which], eachShare: MUON.floor },
    });
    tallProducts(gpu, side.matrices, [{ x: ahead, by, scale: -rate }], keep);
  };
  return {
    state: SIDES.flatMap((which) => moments[which].parameters),
    hostState: noHostState,
    adjust: (gradients) => factors.map(({ a, b }) => ({ a: gradients.of(a), b: gradients.of(b) })),
    step(gradients, { learningRate }) {
      for (const which of SIDES) stepOf(which, gradients, learningRate);
    },
  };
}
