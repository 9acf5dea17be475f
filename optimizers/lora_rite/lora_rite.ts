/** @file LoRA-RITE: adaptive steps of the factors that do not depend on which factors of B A they are. */
import type { Gradients, Parameter } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { alignBytes, ELEMENT_BYTES, type Tensor } from "../../gpu/tensor.ts";
import {
  clip,
  createWarmStart,
  dotInto,
  keepOrthonormal,
  MAX_RANK,
  rightSvds,
  type SmallMatrices,
  smallProducts,
  spanOf,
  sumInto,
  svdNumbers,
  svdScratchSizes,
  type TallMatrices,
  tallMatrices,
  tallOverlaps,
  tallProducts,
  tallTableWords,
  thinBases,
  warmStartSizes,
} from "../../kernels/mod.ts";
import {
  type FactorSide,
  factorSides,
  largerOf,
  leftVectorFlops,
  moduleOnes,
  partsOf,
  scaledByOther,
  sideGradients,
  sideRows,
  sideSizes,
  sideState,
  sideTables,
  smallSizes,
  svdFlops,
  svdScratch,
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
import { skipLarge } from "./skip_large.ts";

/** Settings of LoRA-RITE. */
export type LoraRiteOptions = LowRankOptions & {
  /** Largest norm of all unmagnified gradients together; 0 sets no limit. */
  clipNorm: number;
  /** Root mean square of a factor's unmagnified gradient above which it counts as 0; 0 sets no limit. */
  skipAbove: number;
  /** Share of V's largest eigenvalue, below 1, that its least must reach for a factor to move; 0 sets no limit. */
  momentFloor: number;
};
const defaults: LoraRiteOptions = {
  ...lowRankDefaults,
  epsilon: 1e-6,
  clipNorm: 1,
  skipAbove: 0,
  momentFloor: 1e-7,
};

/**
 * LoRA-RITE. With B = Q R, Q orthonormal, A moves by (B likewise, from Aᵀ = Q R):
 *
 *     g = dAᵀ R⁻¹,                                       the unmagnified gradient `[in, rank]`: s Gᵀ Q
 *     P = Qᵀ Q',                                         Q' being that of the last step
 *     V ← b₂ P V Pᵀ + (1 − b₂) gᵀg / in,                 the second moment, a matrix `[rank, rank]`
 *     M ← b₁ M Pᵀ + (1 − b₁) g (V^(1/2) + ε I)⁻¹         the first moment, of the preconditioned gradient
 *     Aᵀ ← Aᵀ − rate · M R⁻ᵀ
 *
 * both factors from the same old ones, with bₜ = β (1 − βᵗ⁻¹) / (1 − βᵗ) in the place of a correction of moments. As in
 * the authors' code, the unmagnified gradients of all factors together are first scaled to a norm of at most `clipNorm`.
 * W follows the same path whichever factors of B A it starts from, since Q and R may be those of any orthonormal basis:
 * they are those of `thinBases`. Directions in which a factor vanishes are left out, in R⁻¹ and in V, as by a
 * pseudo-inverse.
 *
 * `skipAbove` is off by default: algorithm 1 skips nothing. The authors' code has 1: it takes the unmagnified gradient of
 * a factor for 0 where its root mean square is larger, before it clips. That depends on the loss's scale and on s, and
 * at rank 1 can be every step, so that a run looks finished that never moved. Two parts that their code leaves out by
 * default are not offered: the paper's escaped mass, which P takes from V, and the balancing of the factors' norms.
 * `weightDecay` is decoupled.
 *
 * A gradient has no part in M in a step where V's least eigenvalue is below `momentFloor` times its largest: it has fewer
 * ranks than the factor, as that of attention over the few tokens of a label. V^(-1/2) would enlarge what is next to nothing,
 * B become nearly singular in the first step, and R⁻¹ then throw A far away: see
 * docs/results.md. The authors' code forms V in 32 bits, where such an eigenvalue may come out negative: its root is NaN,
 * and they take the update for 0. The default is what 32 bits resolve, and not what scores best.
 *
 * V is kept as a root, whose square times 1 / in (of A's) or 1 / out it is: then V's own condition number never arises.
 * The equivalent gradient is that of g R⁻ᵀ, without moments: s² (P_B G + G P_A).
 *
 * Source: Yen et al., arXiv 2410.20625, algorithm 1, and the authors' PyTorch code.
 */
export const loraRite: OptimizerModule<LoraRiteOptions> = defineOptimizer({
  id: "lora-rite",
  title: "LoRA-RITE",
  source: "https://arxiv.org/abs/2410.20625",
  paper: {
    title: "LoRA Done RITE: Robust Invariant Transformation Equilibration for LoRA Optimization",
    authors: [
      "Jui-Nan Yen",
      "Si Si",
      "Zhao Meng",
      "Felix Yu",
      "Sai Surya Duvvuri",
      "Inderjit S. Dhillon",
      "Cho-Jui Hsieh",
      "Sanjiv Kumar",
    ],
    year: 2024,
  },
  defaults,
  validate(options, targetModules) {
    for (const name of ["clipNorm", "skipAbove"] as const) {
      const value = options[name];
      if (!(value >= 0 && Number.isFinite(value))) return `${name} is ${value}, 0 or more is needed`;
    }
    const { momentFloor } = options;
    if (!(momentFloor >= 0 && momentFloor < 1)) {
      return `momentFloor is ${momentFloor}, 0 to 1 is needed, below 1`;
    }
    return validateLowRank(
      options,
      targetModules,
      (targetModule) => Math.min(targetModule.in, targetModule.out, MAX_RANK),
    );
  },
  describe: ({ scaling, clipNorm, skipAbove, momentFloor }) =>
    [
      scaling,
      ...clipNorm === 1 ? [] : [clipNorm === 0 ? "unclipped" : `clipped to ${clipNorm}`],
      ...skipAbove > 0 ? [`skips above ${skipAbove}`] : [],
      ...momentFloor === defaults.momentFloor ? [] : [`floor ${momentFloor}`],
    ].join(", "),
  stepWork(options, sizes) {
    const { rank } = options;
    return lowRankWork(options, sizes, ({ in: columns, out }) => {
      const factors = rank * (columns + out);
      return {
        // Each factor is decomposed, left vectors and all, and so is its gradient below the second moment's root, without;
        // then five products of a factor's size with r x r matrices, and seven of the latter.
        flops: svdFlops(rank, columns) + svdFlops(rank, out) + leftVectorFlops(rank, columns + out) +
          svdFlops(rank, columns + rank, true) + svdFlops(rank, out + rank, true) + 10 * factors * rank +
          14 * rank ** 3 +
          6 * factors,
        elements: 26 * factors,
        state: 2 * factors + 2 * rank ** 2,
      };
    });
  },
  footprint: (options, model) => lowRankFootprint(options, model, ruleFootprint(options, model)),
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options, { rule: loraRiteRule }),
});

const SIDES = ["a", "b"] as const;
type Which = typeof SIDES[number];
const OTHER = { a: "b", b: "a" } as const;

/**
 * First moments and bases of the factors' size, roots of second moments, and above rank 12 where their decompositions begin;
 * tables of where they and the gradients
 * lie. A step decomposes both factors and holds both unmagnified gradients, each below room for a root; then one side
 * after the other decomposes these, and last makes the new first moment.
 */
function ruleFootprint(
  { rank, clipNorm }: LoraRiteOptions,
  { targetModules }: ModelShapes,
): Pick<Footprint, "state" | "tables" | "scratch"> {
  const a = sideSizes(targetModules, rank, "a"), b = sideSizes(targetModules, rank, "b");
  const squares = targetModules.map(() => rank ** 2), small = smallSizes(targetModules, rank);
  const warm = warmStartSizes(rank, targetModules.length);
  const whole = [
    ...SIDES.flatMap((which) => svdScratch(targetModules, rank, which).left),
    ...SIDES.flatMap((which) => [small, [stackedSize(targetModules, rank, which)]]),
    ...clipNorm > 0 ? [[1, 1], [1]] : [],
  ];
  const most = SIDES.map((which) => {
    const decomposed = [small, [targetModules.length * svdNumbers(rank)]];
    const rows = targetModules.map((module) => rank + (which === "a" ? module.in : module.out));
    const bases = svdScratchSizes(rank, rows, false, [stackedSize(targetModules, rank, which)]);
    return largerOf([...decomposed, ...bases], [
      ...decomposed,
      small,
      small,
      sideSizes(targetModules, rank, which),
    ]);
  });
  return {
    state: [a, b, b, a, squares, squares, ...warm.state, ...warm.state],
    tables: [
      ...sideTables(targetModules),
      [tallTableWords(targetModules.map(() => rank))],
      ...SIDES.flatMap((which) => {
        const rows = sideRows(targetModules, which), roots = rows.map(() => rank);
        return [rows.map((count) => rank + count), roots, rows].map((own) => [tallTableWords(own)]);
      }),
      ...Array.from({ length: 3 }, () => [targetModules.length]),
      ...warm.tables,
      ...warm.tables,
    ],
    scratch: [...whole, ...largerOf(most[0]!, most[1]!)],
  };
}

/** Numbers of a side's gradients with a root above each. */
function stackedSize(targetModules: ModelShapes["targetModules"], rank: number, which: Which): number {
  return targetModules.reduce(
    (sum, targetModule) => sum + rank * (rank + (which === "a" ? targetModule.in : targetModule.out)),
    0,
  );
}

/** Where roots `[rank, rank]` and the gradients `[rows, rank]` below them lie, one pair after the other. */
interface Stacked {
  readonly size: number;
  /** Of roots and gradients together, of roots, and of gradients, in a buffer that is yet to be made. */
  readonly layouts: Readonly<Record<"whole" | "roots" | "gradients", Omit<TallMatrices, "flat">>>;
}

function stackedBelow(gpu: Gpu, { matrices: { rank, rows, flat } }: FactorSide): Stacked {
  let size = 0;
  const offsets = rows.map((count) => (size += rank * (rank + count)) - rank * (rank + count));
  const lay = (rowsOf: (rows: number) => number, below: number) =>
    tallMatrices(
      gpu,
      flat,
      rank,
      offsets.map((offset, i) => ({
        offset: offset + below,
        rows: rowsOf(rows[i]!),
        rowStride: rank,
        columnStride: 1,
      })),
    );
  return {
    size,
    layouts: {
      whole: lay((rows) => rank + rows, 0),
      roots: lay(() => rank, 0),
      gradients: lay((rows) => rows, rank ** 2),
    },
  };
}

/** The roots of a side's second moments. */
interface Roots {
  readonly parameters: readonly Parameter[];
  readonly flat: Tensor;
}

function createRoots(gpu: Gpu, { parameters, matrices: { rank } }: FactorSide): Roots {
  const entries = parameters.map(({ name }) => ({ label: `${name}.root of V`, shape: [rank, rank] }));
  const { parts } = gpu.pack(entries, "roots of V");
  return {
    parameters: parts.map((value) => ({ name: value.label, value })),
    flat: spanOf(parts, "roots of V"),
  };
}

function loraRiteRule({ gpu }: Setup, factors: readonly Factors[], options: LoraRiteOptions): Rule {
  const { beta1, beta2, epsilon, weightDecay, clipNorm, skipAbove, momentFloor } = options;
  const sides = factorSides(gpu, factors), ones = moduleOnes(gpu, factors.length);
  const { rank } = sides.a.matrices, block = alignBytes(ELEMENT_BYTES * rank ** 2) / ELEMENT_BYTES;
  const each = <T>(make: (which: Which) => T) => ({ a: make("a"), b: make("b") });
  const moments = each((which) => sideState(gpu, sides[which], "m"));
  // Of the other factor.
  const bases = each((which) => sideState(gpu, sides[OTHER[which]], "Q"));
  const roots = each((which) => createRoots(gpu, sides[which]));
  // Where the decompositions of second moments begin.
  const warm = each((which) => createWarmStart(gpu, rank, ones, `${sides[which].parameters[0]!.name}.V`));
  const rootLayouts = tallMatrices(
    gpu,
    roots.a.flat,
    rank,
    factors.map((_, i) => ({ offset: i * block, rows: rank, rowStride: rank, columnStride: 1 })),
  );
  const below = each((which) => stackedBelow(gpu, sides[which]));
  const shares = each((which) => {
    const values = Float32Array.from(sides[which].matrices.rows, (rows) => rows ** -0.5);
    return gpu.upload(values, "f32", [factors.length], "shares");
  });

  /** All unmagnified gradients, clipped, below zeros. */
  const unmagnify = (gradients: Gradients, inverses: Readonly<Record<Which, SmallMatrices>>) => {
    const stacks = each((which) => gpu.zeros([below[which].size], "unmagnified gradients"));
    for (const which of SIDES) {
      const out = { ...below[which].layouts.gradients, flat: stacks[which] };
      tallProducts(gpu, out, [{ x: sideGradients(sides[which], gradients), by: inverses[which] }]);
      if (skipAbove > 0) skipLarge(gpu, out, skipAbove);
    }
    if (clipNorm > 0) {
      const { parts, flats } = gpu.pack([{ label: "norm of A's", shape: [1] }, {
        label: "norm of B's",
        shape: [1],
      }], "norms");
      SIDES.forEach((which, i) => dotInto(gpu, stacks[which], stacks[which], parts[i]!));
      const norm = gpu.empty([1], "squared norm");
      sumInto(gpu, flats[0]!, norm);
      for (const which of SIDES) clip(gpu, stacks[which], norm, clipNorm);
    }
    return stacks;
  };

  return {
    state: [
      ...[moments.a, moments.b, bases.a, bases.b, roots.a, roots.b].flatMap(({ parameters }) => parameters),
      ...SIDES.flatMap((which) => warm[which]?.bases.flat ?? []).map((value) => ({
        name: value.label,
        value,
      })),
    ],
    hostState: noHostState,
    adjust(gradients) {
      const scaled = each((which) =>
        partsOf(
          sides[which],
          scaledByOther(gpu, sides[which], sides[OTHER[which]], gradients, { damping: 0, factors: ones }),
        )
      );
      return factors.map((_, i) => ({ a: scaled.a[i]!, b: scaled.b[i]! }));
    },
    step(gradients, { step, learningRate }) {
      const decay1 = correctedDecay(beta1, step), decay2 = correctedDecay(beta2, step);
      const decompositions = each((which) => thinBases(gpu, sides[which].matrices));
      // R is diag(s) V⁻¹.
      const inverses = each((which) => {
        const { v, values } = decompositions[OTHER[which]];
        return smallProducts(gpu, v, null, { rank, f: "s/(s²+d)", values, factors: ones });
      });
      const stacks = unmagnify(gradients, inverses);
      for (const which of SIDES) {
        using _ = gpu.scope("a side of LoRA-RITE", "scratch");
        const side = sides[which], other = decompositions[OTHER[which]], { layouts } = below[which];
        const moment = moments[which].matrices, basis = bases[which].matrices, root = roots[which].flat;
        const stacked = (part: keyof typeof layouts) => ({ ...layouts[part], flat: stacks[which] });

        // Pᵀ.
        const carry = tallOverlaps(gpu, basis, other.left);
        gpu.copy(other.left.flat, basis.flat);
        // The root of b V + (1 - b) gᵀg / rows is √(1 - b) times that of gᵀg below √(b / (1 - b)) times V's.
        const above = {
          x: { ...rootLayouts, flat: root },
          by: carry,
          scale: Math.sqrt(decay2 / (1 - decay2)),
        };
        tallProducts(gpu, stacked("roots"), [above]);
        const scale = Math.sqrt(1 - decay2), start = warm[which];
        if (start) keepOrthonormal(gpu, start, step);
        // Where V has too few ranks for a step, any root of it will do.
        const minShare = Math.sqrt(momentFloor);
        const { v, values } = rightSvds(gpu, stacked("whole"), undefined, start, minShare);
        smallProducts(gpu, null, v, {
          ...{ rank, f: "s", values, factors: ones, scale },
          into: { tensor: root, at: 0, block, row: rank, column: 1 },
        });
        const preconditioner = smallProducts(gpu, v, v, {
          ...{ rank, f: "1/(cs+d)", values, damping: epsilon, factors: shares[which], scale },
          minShare,
        });

        const next = zerosLike(gpu, side, "first moment");
        tallProducts(gpu, next, [
          { x: stacked("gradients"), by: preconditioner, scale: 1 - decay1 },
          { x: moment, by: carry, scale: decay1 },
        ]);
        gpu.copy(next.flat, moment.flat);
        const magnify = smallProducts(gpu, null, other.v, {
          ...{ rank, f: "s/(s²+d)", values: other.values, factors: ones },
        });
        const by = { x: next, by: magnify, scale: -learningRate };
        tallProducts(gpu, side.matrices, [by], 1 - learningRate * weightDecay);
      }
    },
  };
}

/** A decay with which a moment that started at 0 needs no correction: 0 at the first step. */
function correctedDecay(beta: number, step: number): number {
  return beta * (1 - beta ** (step - 1)) / (1 - beta ** step);
}
