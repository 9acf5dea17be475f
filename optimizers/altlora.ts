/** @file AltLoRA: one factor at a time, so that each step of W is the projection of a gradient. */
import type { Gradients } from "../autodiff/tape.ts";
import {
  adamwUpdate,
  MAX_RANK,
  sgdUpdate,
  smallProducts,
  tallOverlaps,
  tallProducts,
  thinSvds,
} from "../kernels/mod.ts";
import {
  factorSides,
  inverseSquares,
  largerOf,
  leftVectorFlops,
  moduleOnes,
  partsOf,
  scaledByOther,
  scalingFlops,
  sideGradients,
  sideSizes,
  sideState,
  sideTables,
  smallSizes,
  svdScratch,
  zerosLike,
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
import {
  defineOptimizer,
  type Factors,
  type Footprint,
  type ModelShapes,
  type OptimizerModule,
  type Setup,
} from "./optimizer.ts";

/** Settings of AltLoRA. */
export type AltloraOptions = LowRankOptions & {
  /** Steps that one factor takes before the other's turn. */
  period: number;
  /** Added to the diagonals of BᵀB and AAᵀ. */
  damping: number;
  /** True for AltLoRA+, which divides by the root of an elementwise second moment. */
  secondMoment: boolean;
  /** False for moments that are not corrected for their start at 0. */
  biasCorrection: boolean;
};
const defaults: AltloraOptions = {
  ...lowRankDefaults,
  period: 1,
  damping: 1e-6,
  secondMoment: false,
  biasCorrection: true,
};

/**
 * AltLoRA. Steps alternate between the factors, B first:
 *
 *     gB = (1/s²) dB (AAᵀ + λ I)⁻¹,    mB ← β₁ mB A' Aᵀ (AAᵀ + λ I)⁻¹ + (1 − β₁) gB,    B ← B − rate · mB / (1 − β₁ᵏ)
 *     gA = (1/s²) (BᵀB + λ I)⁻¹ dA,    mA ← β₁ (BᵀB + λ I)⁻¹ Bᵀ B' mA + (1 − β₁) gA,    A likewise
 *
 * with A' and B' as they were at the moment's last step, so that a moment stays the projection of past gradients on
 * what the other factor spans now, k steps of this factor so far, and λ the option `damping`. The other factor stays
 * as it is, and its moment too. Directions in which a factor vanishes are left out, as by a pseudo-inverse.
 *
 * `period` is 1 as in the paper; the authors' trainer takes 10 steps with each factor. The factor 1/s² is the paper's,
 * which the authors' class leaves out. Moments are corrected for their start at 0, as in that class, or with `biasCorrection`
 * false not: the divisor 1 − β₁ᵏ, and that of v, is then left out. `secondMoment`
 * gives AltLoRA+: the step is divided by √v̂ + `epsilon`, with v the elementwise second moment of gA or gB; otherwise
 * `beta2` and `epsilon` count for the head alone, and the learning rate is that of gradient descent on W.
 *
 * The equivalent gradient is that of the factor whose turn comes after the last step taken.
 *
 * Source: Yu et al., arXiv 2505.12455.
 */
export const altlora: OptimizerModule<AltloraOptions> = defineOptimizer({
  id: "altlora",
  title: "AltLoRA",
  source: "https://arxiv.org/abs/2505.12455",
  paper: {
    title:
      "AltLoRA: Towards Better Gradient Approximation in Low-Rank Adaptation with Alternating Projections",
    authors: ["Xin Yu", "Yujia Wang", "Jinghui Chen", "Lingzhou Xue"],
    year: 2025,
  },
  defaults,
  laterOptions: ["biasCorrection"],
  validate(options, targetModules) {
    const { period, damping } = options;
    if (!(Number.isInteger(period) && period >= 1)) {
      return `period is ${period}, a whole number of 1 or more is needed`;
    }
    if (!(damping >= 0 && Number.isFinite(damping))) return `damping is ${damping}, 0 or more is needed`;
    return validateLowRank(
      options,
      targetModules,
      (targetModule) => Math.min(targetModule.in, targetModule.out, MAX_RANK),
    );
  },
  describe: ({ scaling, period, secondMoment, biasCorrection }) =>
    [
      scaling,
      ...secondMoment ? ["AltLoRA+"] : [],
      ...period > 1 ? [`${period} steps a factor`] : [],
      ...biasCorrection ? [] : ["no bias correction"],
    ].join(", "),
  stepWork(options, sizes) {
    const { rank, secondMoment } = options;
    return lowRankWork(options, sizes, ({ in: columns, out }) => {
      // Half of the steps are A's. Beside scaling: left vectors, the overlap with them, the moment's turn and its r x r
      // matrix.
      const factors = rank * (columns + out);
      const flops = scalingFlops(rank, columns, out) + scalingFlops(rank, out, columns) +
        leftVectorFlops(rank, columns + out) + 4 * factors * rank + 4 * rank ** 3;
      return {
        flops: flops / 2 + (secondMoment ? 6 : 2) * factors,
        elements: (secondMoment ? 12 : 9) * factors,
        state: (secondMoment ? 3 : 2) * factors,
      };
    });
  },
  footprint: (options, model) => lowRankFootprint(options, model, ruleFootprint(options, model)),
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options, { rule: altloraRule }),
});

/** Moments and the other factor as it was, by formula; and what a step of A or of B makes, whichever is more. */
function ruleFootprint(
  { rank, secondMoment }: AltloraOptions,
  { targetModules }: ModelShapes,
): Pick<Footprint, "state" | "tables" | "scratch"> {
  const a = sideSizes(targetModules, rank, "a"), b = sideSizes(targetModules, rank, "b");
  const stepOf = (own: "a" | "b") => {
    const { left, bases } = svdScratch(targetModules, rank, own === "a" ? "b" : "a");
    const small = smallSizes(targetModules, rank), size = sideSizes(targetModules, rank, own);
    const turned = secondMoment ? [size, size] : [size];
    return largerOf([...left, ...bases], [...left, small, small, small, ...turned]);
  };
  return {
    state: [a, b, b, a, ...secondMoment ? [a, b] : []],
    tables: [...sideTables(targetModules), [targetModules.length], [targetModules.length]],
    scratch: largerOf(stepOf("a"), stepOf("b")),
  };
}

/** Whose turn step t is, and how many steps that factor has taken then, this one among them. */
export function turnOf(step: number, period: number): { readonly turn: "a" | "b"; readonly taken: number } {
  const cycles = Math.floor((step - 1) / (2 * period)), within = (step - 1) % (2 * period);
  return within < period
    ? { turn: "b", taken: cycles * period + within + 1 }
    : { turn: "a", taken: cycles * period + within - period + 1 };
}

function altloraRule({ gpu }: Setup, factors: readonly Factors[], options: AltloraOptions): Rule {
  const { beta1, weightDecay, damping, period, secondMoment } = options;
  const sides = factorSides(gpu, factors), inverse = inverseSquares(gpu, factors);
  const scaling = { damping, factors: inverse };
  const moments = { a: sideState(gpu, sides.a, "m"), b: sideState(gpu, sides.b, "m") };
  // Of the other factor: A's moment is told where B was.
  const others = { a: sideState(gpu, sides.b, "at A's step"), b: sideState(gpu, sides.a, "at B's step") };
  const squares = secondMoment ? { a: sideState(gpu, sides.a, "v"), b: sideState(gpu, sides.b, "v") } : null;
  const ones = moduleOnes(gpu, factors.length);
  let last = 0;

  return {
    state: [moments.a, moments.b, others.a, others.b, ...squares ? [squares.a, squares.b] : []].flatMap((
      { parameters },
    ) => parameters),
    hostState: { save: () => last, restore: (saved) => last = saved as number },
    adjust(gradients: Gradients) {
      const { turn } = turnOf(last + 1, period), side = sides[turn];
      const scaled = partsOf(
        side,
        scaledByOther(gpu, side, sides[turn === "a" ? "b" : "a"], gradients, scaling),
      );
      return scaled.map((gradient) => turn === "a" ? { a: gradient, b: null } : { a: null, b: gradient });
    },
    step(gradients, { step, learningRate }) {
      const { turn, taken } = turnOf(step, period);
      // After infinitely many steps nothing is left of a moment's start.
      const corrected = options.biasCorrection ? taken : Infinity;
      last = step;
      const side = sides[turn], other = sides[turn === "a" ? "b" : "a"], moment = moments[turn].matrices;
      const { rank } = side.matrices, { left, v, values } = thinSvds(gpu, other.matrices);
      const inverses = smallProducts(gpu, v, v, { rank, f: "1/(s²+d)", values, damping, factors: inverse });
      // X'ᵀ X (XᵀX + λ I)⁻¹ by X = U diag(s) Vᵀ.
      const overlaps = tallOverlaps(gpu, others[turn].matrices, left);
      const carry = smallProducts(gpu, overlaps, v, { rank, f: "s/(s²+d)", values, damping, factors: ones });
      gpu.copy(other.matrices.flat, others[turn].matrices.flat);

      const raw = sideGradients(side, gradients), carried = zerosLike(gpu, side, "carried moment");
      const old = { x: moment, by: carry };
      if (squares) {
        tallProducts(gpu, carried, [old]);
        gpu.copy(carried.flat, moment.flat);
        const gradient = zerosLike(gpu, side, "scaled gradients");
        tallProducts(gpu, gradient, [{ x: raw, by: inverses }]);
        adamwUpdate(gpu, {
          parameter: side.matrices.flat,
          gradient: gradient.flat,
          m: moment.flat,
          v: squares[turn].matrices.flat,
        }, { ...options, step: corrected, learningRate });
      } else {
        tallProducts(gpu, carried, [{ x: raw, by: inverses, scale: 1 - beta1 }, { ...old, scale: beta1 }]);
        gpu.copy(carried.flat, moment.flat);
        const rate = learningRate / (1 - beta1 ** corrected);
        sgdUpdate(gpu, side.matrices.flat, carried.flat, rate, 1 - learningRate * weightDecay);
      }
    },
  };
}
