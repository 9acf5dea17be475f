/** @file HiRA: a weight times 1 plus a low-rank product, element by element. */
import { isLowPrecision } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { matmul, multiply, toFloat } from "../../kernels/mod.ts";
import type { TargetModule } from "../../models/model.ts";
import { adamwDefaults, type AdamwOptions } from "../adamw.ts";
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  productGradient,
  validateLowRank,
  type WeightForm,
} from "../low_rank.ts";
import { copyWeight } from "../module_weight.ts";
import {
  defineOptimizer,
  type Factors,
  type Footprint,
  type ModelShapes,
  type OptimizerModule,
  type Setup,
  type StepSizes,
  type StepWork,
} from "../optimizer.ts";
import { formedLinear } from "./formed_linear.ts";

/** Settings of HiRA. */
export type HiraOptions = AdamwOptions & {
  /** r, from 1 to the smaller side of every adapted map. */
  rank: number;
};
const defaults: HiraOptions = { rank: 8, ...adamwDefaults };

/** As a member of the LoRA family with s = 1. */
function asLowRank(options: HiraOptions): LowRankOptions {
  return { ...lowRankDefaults, ...options, alpha: options.rank, scaling: "alpha/r" };
}

/**
 * HiRA: W ∘ (1 + B A), element by element, from LoRA's start; AdamW follows A and B, whose gradients are Bᵀ (G ∘ W) and (G ∘ W) Aᵀ.
 * There is no alpha. The change has a rank of up to r times W's. What is 0 in W stays 0, and the change of an entry grows with its
 * size: so the rate does with 1 / |W|, and is some times LoRA's.
 *
 * W ∘ (1 + B A) is formed in every forward pass, and kept beside W until the backward pass, which forms the whole gradient G.
 *
 * The equivalent gradient is W ∘ (B dA + dB A).
 * Source: Huang et al., HiRA, ICLR 2025; PEFT's `HiraConfig`.
 */
export const hira: OptimizerModule<HiraOptions> = defineOptimizer({
  id: "hira",
  title: "HiRA",
  source: "https://openreview.net/forum?id=TwJrTz9cRS",
  defaults,
  validate: (options, targetModules) => validateLowRank(asLowRank(options), targetModules),
  describe: () => "W ∘ (1 + B A)",
  stepWork,
  footprint,
  attach: (setup, options) => attachLowRank(setup, asLowRank(options), { form: hadamardForm }),
});

/**
 * In each part the product B A, two products with the whole gradient and three with W, element by element; and the whole gradient
 * itself. No thin products with rows.
 */
function stepWork(options: HiraOptions, sizes: StepSizes): StepWork {
  const { rank } = options, { targetModules, parts } = sizes;
  const sum = (count: (targetModule: StepSizes["targetModules"][number]) => number) =>
    targetModules.reduce((total, targetModule) => total + count(targetModule), 0);
  const weights = sum(({ in: columns, out }) => columns * out);
  return {
    ...lowRankWork(asLowRank(options), sizes),
    weightFlops: sum(({ rows, in: columns, out }) => 2 * rows * columns * out),
    factorFlops: 6 * parts * rank * weights,
    elements: sum(({ rows, in: columns, out }) => rows * (columns + out)) +
      parts * (11 * weights + sum(({ in: columns, out }) => 4 * rank * (columns + out))),
    activations: 0,
  };
}

/** Beside LoRA's: every effective weight, and three rooms for the largest. Nothing by rows. */
function footprint(options: HiraOptions, model: ModelShapes): Footprint {
  const weights = model.targetModules.map(({ in: columns, out }) => columns * out);
  const room = [Math.max(...weights)];
  return lowRankFootprint(asLowRank(options), model, {
    tables: [weights, room, room, room],
    linear: () => ({ forward: [], backward: [] }),
  });
}

/** W ∘ (1 + B A). */
function hadamardForm({ gpu }: Setup, factors: readonly Factors[]): WeightForm {
  using _ = gpu.countAs("state");
  const sums = gpu.pack(
    factors.map(({ targetModule: { name, out, in: columns } }) => ({
      label: `${name} sum`,
      shape: [out, columns],
    })),
    "effective weights",
  ).parts;
  const most = Math.max(...factors.map(({ targetModule: { out, in: columns } }) => out * columns));
  const rooms = ["products", "gradients", "weights"].map((label) => gpu.empty([most], `room for ${label}`));
  const places = new Map(factors.map((pair, i) => [pair, i]));
  const roomsOf = ({ out, in: columns }: TargetModule): Rooms => {
    const [product, gradient, weight] = rooms.map((room) => ({ ...room, shape: [out, columns] }));
    return { product: product!, gradient: gradient!, weight: weight! };
  };
  const form = (pair: Factors, sum: Tensor) => {
    const { targetModule, a, b } = pair, { product, weight } = roomsOf(targetModule);
    const w = floats(gpu, targetModule, weight);
    matmul(gpu, b.value, a.value, { into: product });
    gpu.copy(w, sum);
    return multiply(gpu, w, product, { into: sum, accumulate: true });
  };
  return {
    added: [],
    changesWhole: true,
    linear(tape, pair, x) {
      const { targetModule, a, b } = pair, sum = form(pair, sums[places.get(pair)!]!);
      const { product, gradient: room, weight } = roomsOf(targetModule);
      return formedLinear(tape, x, {
        ...{ name: "Hadamard linear", trained: [tape.parameter(a), tape.parameter(b)], room },
        form: () => sum,
        pull(full, inputs) {
          const turned = multiply(gpu, full, floats(gpu, targetModule, weight), { into: product });
          if (inputs.wanted(1)) matmul(gpu, b.value, turned, { transposeA: true, ...inputs.target(1) });
          if (inputs.wanted(2)) matmul(gpu, turned, a.value, { transposeB: true, ...inputs.target(2) });
        },
      });
    },
    effectiveWeight: (pair) =>
      form(pair, gpu.empty([pair.targetModule.out, pair.targetModule.in], "effective weight")),
    equivalentGradient(pair, followed) {
      using scope = gpu.scope("equivalent gradient");
      const weight = copyWeight(gpu, pair.targetModule);
      return scope.keep(multiply(gpu, productGradient(gpu, pair, followed), weight));
    },
    // Steps reach beyond the spans of B and A.
    factors: () => null,
  };
}

/** Rooms of a weight's shape that what lies between is formed in. */
interface Rooms {
  readonly product: Tensor;
  readonly gradient: Tensor;
  readonly weight: Tensor;
}

/** The weight in 32-bit floats: itself, or put into `room`. */
function floats(gpu: Gpu, { weight }: TargetModule, room: Tensor): Tensor {
  return isLowPrecision(weight) ? toFloat(gpu, weight.value, room) : weight.value;
}
