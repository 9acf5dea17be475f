/** @file LoFT: AdamW on the full gradient's projection, whose moments follow the factor that spans it. */
import type { Gradients, Parameter } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import {
  adamwUpdate,
  matmul,
  MAX_RANK,
  type SmallMatrices,
  smallProducts,
  tallFactors,
  type TallMatrices,
  tallOverlaps,
  tallProducts,
  thinSvds,
} from "../../kernels/mod.ts";
import { turnOf } from "../altlora.ts";
import {
  type FactorSide,
  factorSides,
  inverseSquares,
  largerOf,
  leftVectorFlops,
  moduleOnes,
  partsOf,
  scaledByOther,
  scalingFlops,
  sideGradients,
  sideRows,
  sideSizes,
  sideState,
  sideTables,
  smallSizes,
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
  type OptimizerModule,
  type PackSizes,
  type Setup,
  type StepInfo,
} from "../optimizer.ts";
import {
  addRowProducts,
  describeRowProducts,
  directionOf,
  directionSizes,
  type RowProducts,
  rowProductSizes,
  rowProductTables,
} from "./row_products.ts";

const TRANSPORTS = ["paper", "transposed"] as const;

/** Settings of LoFT. */
export type LoftOptions = LowRankOptions & {
  /** How the second moment follows the other factor: "paper" or "transposed". */
  transport: string;
  /** True for the second moment of each number of a factor, which follows nothing. */
  simple: boolean;
  /** Added to the diagonal of s² AAᵀ. */
  dampingA: number;
  /** Added to the diagonal of s² BᵀB. */
  dampingB: number;
};
const defaults: LoftOptions = {
  ...lowRankDefaults,
  epsilon: 1e-4,
  transport: "paper",
  simple: false,
  dampingA: 1e-8,
  dampingB: 1e-6,
};

/**
 * LoFT. Steps alternate between the factors, B first, and each is AdamW's on W as far as the other factor reaches. For A,
 * with K = (s² BᵀB + `dampingB` I)⁻¹ and B' the B of one step ago (B likewise, on the transposed problem, with `dampingA`):
 *
 *     gt = K dA,                                    the gradient's coordinates: s B gt = P_B G
 *     C = K s² BᵀB'
 *     m ← β₁ C m + (1 − β₁) gt,                     `[rank, in]`
 *     P_j ← β₂ C P_j Cᵀ + (1 − β₂) gt_j gt_jᵀ,      for each column j of A, `[rank, rank]`
 *     M = s B m,  V_ij = s² B_i P_j B_iᵀ            the moments of P_B G, as B spans it now
 *     U = M̂ / (√V̂ + ε)
 *     A ← A − rate · s K BᵀU
 *
 * so that W moves by −rate · P_B U, whatever factors B A is made of and whatever s is: without second-order term, since
 * only one factor moves. Both moments follow every step, with t counting steps. At a rank of the size of a square W this
 * is AdamW on W. The learning rate is that of full fine-tuning. `weightDecay` shrinks the factor that moves by
 * 1 − rate · decay. K is 0 in directions in which a factor vanishes.
 *
 * `simple` keeps the second moment v of each number of gt, which is carried nowhere, and moves A by m̂ / (√v̂ + ε): state of
 * the factors' size; it depends on the factors.
 *
 * Where the authors' code differs from the paper, this is the paper: their code has CᵀP C in the place of C P Cᵀ (option
 * `transport`: "transposed", for replication only: W's path then depends on the factors); updates B's moments in steps that
 * move A with the A that has just moved; and shrinks by 1 − decay, 1e-2 by default, whatever the rate. Epsilon 1e-4 and both
 * dampings are theirs. They clip the norm of s B gt, where a run here clips raw gradients.
 *
 * The equivalent gradient is that of the factor whose turn comes after the last step taken.
 *
 * Source: Tastan et al., arXiv 2505.21289, and the authors' code.
 */
export const loft: OptimizerModule<LoftOptions> = defineOptimizer({
  id: "loft",
  title: "LoFT",
  source: "https://arxiv.org/abs/2505.21289",
  paper: {
    title: "LoFT: Low-Rank Adaptation That Behaves Like Full Fine-Tuning",
    authors: ["Nurbek Tastan", "Stefanos Laskaridis", "Martin Takáč", "Karthik Nandakumar", "Samuel Horváth"],
    year: 2025,
  },
  defaults,
  validate(options, targetModules) {
    const { transport, simple, dampingA, dampingB } = options;
    if (!TRANSPORTS.some((known) => known === transport)) {
      return `transport is "${transport}", known are ${TRANSPORTS.join(", ")}`;
    }
    if (simple && transport !== "paper") {
      return `transport is "${transport}" in the simple form, whose second moment is carried nowhere: "paper" is needed`;
    }
    for (const [name, value] of Object.entries({ dampingA, dampingB })) {
      if (!(value >= 0 && Number.isFinite(value))) return `${name} is ${value}, 0 or more is needed`;
    }
    return validateLowRank(
      options,
      targetModules,
      (targetModule) => Math.min(targetModule.in, targetModule.out, MAX_RANK),
    );
  },
  describe: ({ scaling, simple, transport }) =>
    [scaling, ...simple ? ["simple"] : [], ...transport === "paper" ? [] : [`transport ${transport}`]].join(
      ", ",
    ),
  stepWork(options, sizes) {
    const { rank, simple } = options;
    return lowRankWork(options, sizes, ({ in: columns, out }) => {
      const factors = rank * (columns + out), whole = columns * out;
      // Of both factors: the other's decomposition and inverse, left vectors, the overlap with them, the moment's turn.
      const flops = scalingFlops(rank, columns, out) + scalingFlops(rank, out, columns) +
        leftVectorFlops(rank, columns + out) + 6 * factors * rank + 4 * rank ** 3;
      if (simple) return { flops: flops + 12 * factors, elements: 15 * factors, state: 3 * factors };
      return {
        // Second moments turn twice and grow; then moments of W, which the upper triangle gives, and its direction's
        // product with the factor that stays.
        flops: flops + (4 * rank + 3) * rank * factors + (rank + 12) * rank * whole + 8 * whole +
          2 * factors * rank,
        elements: (13 + 7 * rank) * factors + (5 + rank / 4) * whole,
        state: (2 + rank) * factors,
      };
    });
  },
  footprint: (options, model) => lowRankFootprint(options, model, ruleFootprint(options, model)),
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options, { rule: loftRule }),
});

const SIDES = ["a", "b"] as const;
type Which = typeof SIDES[number];
const OTHER = { a: "b", b: "a" } as const;

/**
 * First moments and the other factor as it was, and second moments; by formula, with what a step makes: one side after the
 * other, and for the one that moves its step, and the direction of one weight at a time.
 */
function ruleFootprint(
  { rank, simple, transport }: LoftOptions,
  { targetModules }: ModelShapes,
): Pick<Footprint, "state" | "tables" | "scratch"> {
  const sizes = { a: sideSizes(targetModules, rank, "a"), b: sideSizes(targetModules, rank, "b") };
  const products = (which: Which): PackSizes => rowProductSizes(rank, sideRows(targetModules, which));
  const small = smallSizes(targetModules, rank);
  // A direction and what it is made of, of one target module at a time.
  const direction = targetModules.map((targetModule): readonly PackSizes[] => [
    [targetModule.in * targetModule.out],
    ...directionSizes(rank, targetModule),
  ]).reduce(largerOf);
  const stepOf = (which: Which, moves: boolean) => {
    const { left, bases } = svdScratch(targetModules, rank, OTHER[which]), own = sizes[which];
    const carried = [...left, small, small, small, own, own];
    if (simple) return largerOf([...left, ...bases], carried);
    const turned = transport === "transposed" ? [...carried, small] : carried;
    const most = largerOf([...turned, products(which)], moves ? [...turned, own, ...direction] : turned);
    return largerOf([...left, ...bases], most);
  };
  const turns = SIDES.map((turn) => largerOf(stepOf(OTHER[turn], false), stepOf(turn, true)));
  return {
    state: [
      ...[sizes.a, sizes.b, sizes.b, sizes.a],
      ...simple ? [sizes.a, sizes.b] : [products("a"), products("b")],
    ],
    tables: [
      ...sideTables(targetModules),
      [targetModules.length],
      [targetModules.length],
      ...simple ? [] : [
        ...sideTables(targetModules),
        ...SIDES.flatMap((which) => rowProductTables(rank, sideRows(targetModules, which))),
      ],
    ],
    scratch: largerOf(turns[0]!, turns[1]!),
  };
}

/** Second moments of the rows of a side's factors: rank times as large as these are, so in one or more buffers. */
interface SecondMoments {
  readonly parameters: readonly Parameter[];
  readonly groups: readonly SecondMomentGroup[];
}

/** Those that lie in one buffer. */
interface SecondMomentGroup {
  readonly products: RowProducts;
  /** Place of the first of their factors among all of the side. */
  readonly first: number;
  /** Their factors. */
  readonly factors: TallMatrices;
}

function createSecondMoments(gpu: Gpu, side: FactorSide, which: Which): SecondMoments {
  const { parameters, matrices: { rank, rows } } = side;
  const entries = parameters.map(({ name }, i) => ({ label: `${name}.P`, shape: [rank, rows[i]!, rank] }));
  const { parts, flats } = gpu.pack(entries, "second moments of rows");
  return {
    parameters: parts.map((value) => ({ name: value.label, value })),
    groups: flats.map((flat) => {
      const first = parts.findIndex(({ buffer }) => buffer === flat.buffer);
      const own = parts.filter(({ buffer }) => buffer === flat.buffer);
      const values = parameters.slice(first, first + own.length).map(({ value }) => value);
      return {
        products: describeRowProducts(gpu, own, flat, rank),
        first,
        factors: tallFactors(gpu, values, which === "a" ? "A" : "B"),
      };
    }),
  };
}

/**
 * P_j ← β₂ C P_j Cᵀ + (1 − β₂) gt_j gt_jᵀ, of the maps of a group. `by` are Cᵀ of all maps, and `gradient` is laid out as the
 * side's factors are.
 */
function followSecondMoments(
  gpu: Gpu,
  { products, first, factors }: SecondMomentGroup,
  side: FactorSide,
  { by, gradient, beta2 }: {
    readonly by: SmallMatrices;
    readonly gradient: TallMatrices;
    readonly beta2: number;
  },
): void {
  const { byRows, byColumns } = products, own = { ...by, at: by.at + first * by.block };
  {
    using _ = gpu.scope("carried second moments", "scratch");
    const flat = gpu.empty(byRows.flat.shape, "carried second moments");
    tallProducts(gpu, { ...byRows, flat }, [{ x: byRows, by: own }]);
    tallProducts(gpu, byColumns, [{ x: { ...byColumns, flat }, by: own, scale: beta2 }]);
  }
  const offset = gradient.flat.offset + factors.flat.offset - side.matrices.flat.offset;
  const flat = { ...gradient.flat, offset, shape: factors.flat.shape };
  addRowProducts(gpu, products, { ...factors, flat }, 1 - beta2);
}

function loftRule({ gpu }: Setup, factors: readonly Factors[], options: LoftOptions): Rule {
  const { beta1, beta2, epsilon, weightDecay, transport, simple } = options;
  const sides = factorSides(gpu, factors), inverse = inverseSquares(gpu, factors);
  const ones = moduleOnes(gpu, factors.length), { rank } = sides.a.matrices;
  // All target modules of a run have one s.
  const { scale } = factors[0]!;
  // Of the other factor's Gram matrix, whose s² is divided out.
  const damping = { a: options.dampingB / scale ** 2, b: options.dampingA / scale ** 2 };
  const each = <T>(make: (which: Which) => T) => ({ a: make("a"), b: make("b") });
  const moments = each((which) => sideState(gpu, sides[which], "m"));
  // Of the other factor: A's moments are told where B was.
  const others = each((which) => sideState(gpu, sides[OTHER[which]], `at ${which.toUpperCase()}'s moments`));
  const squares = simple ? each((which) => sideState(gpu, sides[which], "v")) : null;
  const products = simple ? null : each((which) => createSecondMoments(gpu, sides[which], which));
  let last = 0;

  /** Moments of W as directions of W, and these as steps of the factor that moves. */
  const move = (which: Which, inverses: SmallMatrices, { step, learningRate }: StepInfo) => {
    const side = sides[which], steps = zerosLike(gpu, side, "steps"), parts = partsOf(side, steps);
    const first = partsOf(side, moments[which].matrices);
    factors.forEach(({ targetModule, a, b }, i) => {
      using _ = gpu.scope("a direction of LoFT", "scratch");
      const direction = gpu.empty([targetModule.out, targetModule.in], "direction");
      const x = which === "a" ? b.value : a.value;
      directionOf(
        gpu,
        { x, m: first[i]!, products: products![which].parameters[i]!.value, moves: which },
        { first: scale / (1 - beta1 ** step), second: scale ** 2 / (1 - beta2 ** step), epsilon },
        direction,
      );
      // Bᵀ U, or U Aᵀ.
      if (which === "a") matmul(gpu, x, direction, { transposeA: true, into: parts[i]! });
      else matmul(gpu, direction, x, { transposeB: true, into: parts[i]! });
    });
    const term = { x: steps, by: inverses, scale: -learningRate * scale };
    tallProducts(gpu, side.matrices, [term], 1 - learningRate * weightDecay);
  };

  return {
    state: [
      ...SIDES.flatMap((which) => moments[which].parameters),
      ...SIDES.flatMap((which) => others[which].parameters),
      ...SIDES.flatMap((which) => (squares ?? products!)[which].parameters),
    ],
    hostState: { save: () => last, restore: (saved) => last = saved as number },
    adjust(gradients: Gradients) {
      const { turn } = turnOf(last + 1, 1), side = sides[turn];
      const how = { damping: damping[turn], factors: inverse };
      const scaled = partsOf(side, scaledByOther(gpu, side, sides[OTHER[turn]], gradients, how));
      return scaled.map((gradient) => turn === "a" ? { a: gradient, b: null } : { a: null, b: gradient });
    },
    step(gradients, { step, learningRate }) {
      const { turn } = turnOf(step, 1);
      last = step;
      // The one that moves comes last, so that all is of the same factors.
      for (const which of [OTHER[turn], turn]) {
        using _ = gpu.scope("a side of LoFT", "scratch");
        const side = sides[which], other = sides[OTHER[which]], moment = moments[which].matrices;
        const moves = which === turn;
        const { left, v, values } = thinSvds(gpu, other.matrices), d = damping[which];
        const inverses = smallProducts(gpu, v, v, {
          ...{ rank, f: "1/(s²+d)", values, damping: d, factors: inverse },
        });
        // X'ᵀ X (XᵀX + d I)⁻¹ = Cᵀ by X = U diag(s) Vᵀ.
        const overlaps = tallOverlaps(gpu, others[which].matrices, left);
        const how = { rank, f: "s/(s²+d)", values, damping: d, factors: ones } as const;
        const carry = smallProducts(gpu, overlaps, v, how);
        gpu.copy(other.matrices.flat, others[which].matrices.flat);

        const raw = { x: sideGradients(side, gradients), by: inverses };
        const gradient = zerosLike(gpu, side, "gradients in the other factor's coordinates");
        tallProducts(gpu, gradient, [raw]);
        const carried = zerosLike(gpu, side, "carried moment");
        const old = { x: moment, by: carry };
        if (squares) {
          tallProducts(gpu, carried, [old]);
          gpu.copy(carried.flat, moment.flat);
          adamwUpdate(gpu, {
            parameter: side.matrices.flat,
            gradient: gradient.flat,
            m: moment.flat,
            v: squares[which].matrices.flat,
          }, { ...options, step, learningRate: moves ? learningRate : 0 });
          continue;
        }
        tallProducts(gpu, carried, [{ ...raw, scale: 1 - beta1 }, { ...old, scale: beta1 }]);
        gpu.copy(carried.flat, moment.flat);
        const by = transport === "paper" ? carry : smallProducts(gpu, v, overlaps, how);
        for (const group of products![which].groups) {
          followSecondMoments(gpu, group, side, { by, gradient, beta2 });
        }
        if (moves) move(which, inverses, { step, learningRate });
      }
    },
  };
}
