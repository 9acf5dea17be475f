/** @file LoRA-Muon: each factor follows the polar factor of its momentum, in the metric of the other. */
import type { Gradients } from "../../autodiff/tape.ts";
import {
  MAX_RANK,
  rightSvds,
  sgdUpdate,
  type SmallMatrices,
  smallProducts,
  svdNumbers,
  svdScratchSizes,
  type TallMatrices,
  tallProducts,
} from "../../kernels/mod.ts";
import {
  factorSides,
  largerOf,
  moduleOnes,
  partsOf,
  sideGradients,
  sideRows,
  sideSizes,
  sideState,
  sideTables,
  smallSizes,
  svdFlops,
  zerosLike,
} from "../factor_sides.ts";
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  type Rule,
  validateLowRank,
} from "../low_rank.ts";
import {
  defineOptimizer,
  type Factors,
  type Footprint,
  type ModelShapes,
  noHostState,
  type OptimizerModule,
  type Setup,
} from "../optimizer.ts";
import { blockTable, describeBlocks, tangentFlops, tangentScratch, tangentSteps } from "./tangent.ts";

const FORMS = ["factors", "tangent"] as const;

/** Settings of LoRA-Muon. */
export type LoraMuonOptions = LowRankOptions & {
  /** "factors" or "tangent". */
  form: string;
  /** How often form "tangent" takes the polar factor and projects it, 1 or more. */
  tau: number;
  /** Share of a momentum that stays, from 0 to below 1. */
  momentum: number;
  /** Share of a preconditioned momentum's largest singular value, below 1, under which one counts as 0. */
  momentFloor: number;
};
const defaults: LoraMuonOptions = {
  ...lowRankDefaults,
  form: "factors",
  tau: 4,
  momentum: 0.95,
  momentFloor: 5e-5,
};

/**
 * LoRA-Muon. With momenta mA ← μ mA + (1 − μ) dA and mB likewise, not corrected for their start since only directions count,
 * K_A = (AAᵀ)^(-1/2), K_B = (BᵀB)^(-1/2), and msign(X) = U Vᵀ of X = U S Vᵀ, both factors from the same old ones:
 *
 *     B ← d B − (rate / 2 s d) msign(mB K_A) K_A,    A ← d A − (rate / 2 s d) K_B msign(K_B mA),    d = √(1 − rate · decay)
 *
 * To first order W moves by −(rate / 2) [msign(G Q_A) Q_Aᵀ + Q_B msign(Q_Bᵀ G)], Q_A and Q_B being orthonormal bases of A's rows
 * and B's columns: by a spectral norm of at most the rate, whatever the rank, s and the factors that B A is made of. There is no
 * second moment.
 *
 * So the rate is one of spectral norms, 30 to 100 times that of full fine-tuning; a head that every method trains follows AdamW
 * at the same rate, with `beta1`, `beta2` and `epsilon`. From B = 0 the second step moves A by as much as A is, times the second rate
 * over the first: a warm-up makes it worse. Published runs begin elsewhere: from scratch, or from a gradient's start.
 *
 * Inverses and msign are those of singular value decompositions, where published code has polynomials: 0 in directions in
 * which a factor vanishes, and where a singular value of K_B mA or mB K_A is below `momentFloor` times its largest, which the
 * polynomials of the paper's appendix B don't lift to 1 either. Balancing the factors' norms is not offered: W's path does
 * not depend on them.
 *
 * Option `form`: "factors" (default) is the above. "tangent" follows directions of W in the tangent space {B M + N A}, as LoRA-TSD
 * does: X = P_B G + (1 − P_B) G P_A, LoRA-Pro's equivalent gradient, of momenta in the place of gradients; then `tau` times
 * X ← P(msign(X)), P being the projection on that space; and W moves by −rate · X to first order:
 *
 *     B ← d B − (rate / s d) X Aᵀ(AAᵀ)⁻¹,    A ← d A − (rate / s d) (BᵀB)⁻¹Bᵀ X (1 − P_A)
 *
 * `tau` 1 is Riemannion's direction, 3 to 5 LoRA-TSD's. All of it is done in bases of size 2 r.
 *
 * The equivalent gradient is that of the step from gradients in the place of momenta.
 *
 * Source: arXiv 2606.12921; the authors' code was not found.
 */
export const loraMuon: OptimizerModule<LoraMuonOptions> = defineOptimizer({
  id: "lora-muon",
  title: "LoRA-Muon",
  source: "https://arxiv.org/abs/2606.12921",
  defaults,
  validate(options, targetModules) {
    const { form, tau, momentum, momentFloor } = options;
    if (!FORMS.some((known) => known === form)) return `form is "${form}", known are ${FORMS.join(", ")}`;
    if (!(Number.isInteger(tau) && tau >= 1)) return `tau is ${tau}, a whole number of 1 or more is needed`;
    if (!(momentum >= 0 && momentum < 1)) {
      return `momentum is ${momentum}, a number from 0 to below 1 is needed`;
    }
    if (!(momentFloor >= 0 && momentFloor < 1)) {
      return `momentFloor is ${momentFloor}, 0 to 1 is needed, below 1`;
    }
    return validateLowRank(
      options,
      targetModules,
      (targetModule) =>
        Math.min(targetModule.in, targetModule.out, form === "tangent" ? MAX_RANK / 2 : MAX_RANK),
    );
  },
  describe: ({ scaling, form, tau, momentFloor }) =>
    [
      scaling,
      ...form === "factors" ? [] : [`tangent, tau ${tau}`],
      ...momentFloor === defaults.momentFloor ? [] : [`floor ${momentFloor}`],
    ].join(", "),
  stepWork(options, sizes) {
    const { rank, form, tau } = options;
    return lowRankWork(options, sizes, ({ in: columns, out }) => {
      const factors = rank * (columns + out);
      if (form === "tangent") {
        const flops = tangentFlops(rank, columns, out, tau) + 3 * factors;
        return { flops, elements: 24 * factors, state: factors };
      }
      return {
        // Both factors and both preconditioned momenta are decomposed; each of the latter is a product, and so is its step.
        flops: 2 * svdFlops(rank, columns) + 2 * svdFlops(rank, out) + 4 * factors * rank + 12 * rank ** 3 +
          5 * factors,
        elements: 13 * factors,
        state: factors,
      };
    });
  },
  footprint: (options, model) => lowRankFootprint(options, model, ruleFootprint(options, model)),
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options, { rule: loraMuonRule }),
});

const SIDES = ["a", "b"] as const;
type Which = typeof SIDES[number];
const OTHER = { a: "b", b: "a" } as const;

/** Momenta; and what a step makes: decompositions of both factors, then, one side after the other, that of a momentum. */
function ruleFootprint(
  { rank, form }: LoraMuonOptions,
  { targetModules }: ModelShapes,
): Pick<Footprint, "state" | "tables" | "scratch"> {
  const kept = {
    state: SIDES.map((which) => sideSizes(targetModules, rank, which)),
    tables: [...sideTables(targetModules), [targetModules.length]],
  };
  if (form === "tangent") {
    const tables = [...kept.tables, blockTable(rank, targetModules.length)];
    return { ...kept, tables, scratch: tangentScratch(targetModules, rank) };
  }
  const small = smallSizes(targetModules, rank), numbers = [targetModules.length * svdNumbers(rank)];
  const bases = { a: basesOf("a"), b: basesOf("b") };
  const whole = [numbers, small, numbers, small];
  const sides = SIDES.map((which) => {
    const own = [sideSizes(targetModules, rank, which), numbers];
    return [...whole, ...largerOf([...own, ...bases[which]], [...own, small, small])];
  });
  const decomposing = largerOf([numbers, ...bases.a], [numbers, small, numbers, ...bases.b]);
  return {
    ...kept,
    scratch: largerOf(decomposing, largerOf(sides[0]!, sides[1]!)),
  };
  function basesOf(which: Which) {
    return svdScratchSizes(rank, sideRows(targetModules, which), false);
  }
}

interface Both {
  readonly a: TallMatrices;
  readonly b: TallMatrices;
}

/** out ← keep · out + c · what is followed. */
interface Blend {
  readonly c: number;
  readonly keep: number;
}

function loraMuonRule({ gpu }: Setup, factors: readonly Factors[], options: LoraMuonOptions): Rule {
  const { form, tau, momentum, momentFloor, weightDecay } = options;
  const sides = factorSides(gpu, factors), ones = moduleOnes(gpu, factors.length);
  const { rank } = sides.a.matrices;
  // All target modules of a run have one s.
  const { scale } = factors[0]!;
  const each = <T>(make: (which: Which) => T) => ({ a: make("a"), b: make("b") });
  const momenta = each((which) => sideState(gpu, sides[which], "m"));
  const tangent = form === "tangent"
    ? {
      ...{ times: tau, floor: momentFloor, scale, ones },
      layout: describeBlocks(gpu, rank, factors.length, ones),
    }
    : null;

  /** X (XᵀX)^(-1/2) is X times this: V diag(1 / s) Vᵀ. */
  const inverseRoot = (x: TallMatrices, eachShare = 0) => {
    const { v, values } = rightSvds(gpu, x);
    return smallProducts(gpu, v, v, { rank, f: "s/(s²+d)", values, factors: ones, eachShare });
  };
  /** As `follow`, of both sides, in form "tangent". */
  const followTangent = (moments: Both, out: Both, how: Blend) => {
    using _ = gpu.scope("directions of LoRA-TSD", "scratch");
    tangentSteps(gpu, sides, moments, out, tangent!, how);
  };
  /** K of each factor. */
  const roots = () => each((which) => inverseRoot(sides[which].matrices));
  /** out ← keep · out + c · msign(moment K) K, K being the other factor's. */
  const follow = (
    which: Which,
    moment: TallMatrices,
    k: SmallMatrices,
    out: TallMatrices,
    { c, keep }: Blend,
  ) => {
    using _ = gpu.scope("a side of LoRA-Muon", "scratch");
    const preconditioned = zerosLike(gpu, sides[which], "preconditioned momentum");
    tallProducts(gpu, preconditioned, [{ x: moment, by: k }]);
    const polar = inverseRoot(preconditioned, momentFloor);
    const by = smallProducts(gpu, polar, k, { rank, factors: ones });
    tallProducts(gpu, out, [{ x: preconditioned, by, scale: c }], keep);
  };

  return {
    state: SIDES.flatMap((which) => momenta[which].parameters),
    hostState: noHostState,
    adjust(gradients: Gradients) {
      const raw = each((which) => sideGradients(sides[which], gradients));
      const out = each((which) => zerosLike(gpu, sides[which], "followed gradients"));
      if (tangent) followTangent(raw, out, { c: 1, keep: 0 });
      else {
        const k = roots();
        for (const which of SIDES) {
          follow(which, raw[which], k[OTHER[which]], out[which], { c: 1 / (2 * scale), keep: 0 });
        }
      }
      const parts = each((which) => partsOf(sides[which], out[which]));
      return factors.map((_, i) => ({ a: parts.a[i]!, b: parts.b[i]! }));
    },
    step(gradients, { learningRate }) {
      const keep = Math.sqrt(1 - learningRate * weightDecay);
      const moments = each((which) => momenta[which].matrices);
      for (const which of SIDES) {
        const { flat } = sideGradients(sides[which], gradients);
        sgdUpdate(gpu, moments[which].flat, flat, momentum - 1, momentum);
      }
      if (tangent) {
        followTangent(moments, each((which) => sides[which].matrices), { c: -learningRate / keep, keep });
        return;
      }
      const k = roots(), c = -learningRate / (2 * scale * keep);
      for (const which of SIDES) {
        follow(which, moments[which], k[OTHER[which]], sides[which].matrices, { c, keep });
      }
    },
  };
}
