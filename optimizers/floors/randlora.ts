/** @file RandLoRA: sums of random low-rank products, scaled by trained numbers, that reach full rank. */
import { isLowPrecision, type Parameter } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { matmul, toFloat } from "../../kernels/mod.ts";
import type { TargetModule } from "../../models/model.ts";
import type { Random } from "../../numerics/random.ts";
import {
  ADAMW_WORK,
  adamwDefaults,
  type AdamwOptions,
  adamwState,
  createAdamw,
  validateAdamw,
} from "../adamw.ts";
import { formedLinear } from "../hira/formed_linear.ts";
import { lowRankDefaults, validateLowRank } from "../low_rank.ts";
import { copyWeight } from "../module_weight.ts";
import {
  defineOptimizer,
  type Footprint,
  type ModelShapes,
  noHostState,
  type Optimizer,
  type OptimizerModule,
  type Setup,
  type StepSizes,
  type StepWork,
} from "../optimizer.ts";
import { gainsGradient, scaleBasis, scalesGradient } from "./scaled_basis.ts";

/** Settings of RandLoRA. */
export type RandloraOptions = AdamwOptions & {
  /** r, of each product, from 1 to the smaller side of every map. */
  rank: number;
  /** s; PEFT's alpha / r. */
  scale: number;
};
const defaults: RandloraOptions = { rank: 32, scale: 20, ...adamwDefaults };

/**
 * RandLoRA: W + s Σ_j B_j diag(λ_j) A diag(γ_j), with N = ⌈min / r⌉ products of rank r, min being the smaller side of W: enough for full
 * rank. Where the inputs are more than the outputs, the sum is turned over: A always has the smaller side. A `[r, min]` and the
 * B_j `[max, r]` are random and frozen, and the same for all target modules: they are drawn once for the widest and cut. AdamW
 * follows λ_j `[r]`, which start at 0, and γ_j `[min]`, which start at 1 / min. So a run trains N (r + min) numbers for each map: about
 * min²/ r, and fewer the higher the rank.
 *
 * A and B are uniform and divided by their standard deviations, as PEFT's are; they come of the run's seed. They count as state. PEFT
 * pairs the rows of the scaled A with other columns of the B_j, which are as random; its bases of −1, 0 and 1 (`sparse`) are not
 * offered. s is 20 by default: PEFT's `randlora_alpha` is 640 at r = 32. Rates are a quarter of LoRA's to LoRA's.
 *
 * The weight is formed whole in every forward pass and again in the backward pass, which forms the whole gradient G too: N r is
 * about the smaller side, so products with rows would cost more than that from as many rows as W has. A step costs about
 * what full fine-tuning's does.
 *
 * The equivalent gradient is s Σ_j B_j (diag(gλ_j) A diag(γ_j) + diag(λ_j) A diag(gγ_j)).
 * Source: Albert et al., arXiv 2502.00987; PEFT's `RandLoraConfig`.
 */
export const randlora: OptimizerModule<RandloraOptions> = defineOptimizer({
  id: "randlora",
  title: "RandLoRA",
  source: "https://arxiv.org/abs/2502.00987",
  paper: {
    title: "RandLoRA: Full-rank parameter-efficient fine-tuning of large models",
    authors: [
      "Paul Albert",
      "Frederic Z. Zhang",
      "Hemanth Saratchandran",
      "Cristian Rodriguez-Opazo",
      "Anton van den Hengel",
      "Ehsan Abbasnejad",
    ],
    year: 2025,
  },
  defaults,
  validate(options, targetModules) {
    const { rank, scale } = options;
    if (!(scale > 0 && Number.isFinite(scale))) return `scale is ${scale}, a positive number is needed`;
    return validateLowRank({ ...lowRankDefaults, rank }, targetModules) ?? validateAdamw(options);
  },
  describe: ({ scale }) => `s = ${scale}`,
  stepWork,
  footprint,
  attach: (setup, options) => Promise.resolve(attach(setup, options)),
});

/** Sides of a linear map. */
interface Sides {
  readonly in: number;
  readonly out: number;
}

/** What is scaled at a map. */
function sizesOf(rank: number, { in: columns, out }: Sides) {
  const least = Math.min(columns, out), most = Math.max(columns, out), times = Math.ceil(least / rank);
  return { least, most, times, inner: times * rank, numbers: times * (rank + least) };
}

/** Shapes of A, and of the B_j below each other and turned over: for each longer side that maps have, as many as one of them needs. */
function shapesOf(rank: number, targetModules: readonly Sides[]) {
  const sizes = targetModules.map((targetModule) => sizesOf(rank, targetModule));
  const b = new Map<number, number>();
  for (const { inner, most } of sizes) b.set(most, Math.max(inner, b.get(most) ?? 0));
  return {
    a: [rank, Math.max(...sizes.map(({ least }) => least))] as const,
    b: Array.from(b, ([most, inner]) => [inner, most] as const),
    /** Numbers of the largest of scaled bases and of weights. */
    scaled: Math.max(...sizes.map(({ inner, least }) => inner * least)),
    weight: Math.max(...sizes.map(({ least, most }) => least * most)),
  };
}

/**
 * In each part the weight is formed twice, a product over N r, and the whole gradient is, whose product with the B_j is another; the
 * scaled A of each is formed as often, and read for both gradients.
 */
function stepWork({ rank }: RandloraOptions, { targetModules, parts }: StepSizes): StepWork {
  const sized = targetModules.map((targetModule) => ({ ...targetModule, ...sizesOf(rank, targetModule) }));
  const sum = (count: (one: typeof sized[number]) => number) =>
    sized.reduce((total, one) => total + count(one), 0);
  const { a, b } = shapesOf(rank, targetModules), numbers = sum((one) => one.numbers);
  return {
    trainsAll: false,
    weightFlops: sum(({ rows, least, most }) => 2 * rows * least * most),
    factorFlops: parts * sum(({ inner, least, most }) => 6 * inner * least * most + 11 * inner * least),
    updateFlops: ADAMW_WORK.flops * numbers,
    elements: sum(({ rows, least, most }) => rows * (least + most)) +
      parts * sum(({ inner, least, most }) => 10 * least * most + 3 * inner * most + 8 * inner * least),
    updateElements: ADAMW_WORK.elements * numbers,
    activations: 0,
    trained: numbers,
    added: numbers,
    state: ADAMW_WORK.state * numbers + a[0] * a[1] +
      b.reduce((total, [inner, most]) => total + inner * most, 0),
  };
}

/** The numbers with their moments, A and the B_j as state; room for a scaled A and its gradient, a weight and its gradient. */
function footprint({ rank }: RandloraOptions, { targetModules, head }: ModelShapes): Footprint {
  const sizes = targetModules.map((targetModule) => sizesOf(rank, targetModule));
  const lambdas = sizes.map(({ inner }) => inner), gammas = sizes.map(({ times, least }) => times * least);
  const trained = [...lambdas, ...gammas, ...head], { a, b, scaled, weight } = shapesOf(rank, targetModules);
  return {
    adapters: [lambdas, gammas],
    trained,
    state: [[a[0] * a[1]], ...b.map(([inner, most]) => [inner * most]), ...adamwState(trained)],
    tables: [[scaled], [scaled], [weight], [weight]],
    scratch: [],
    linear: () => ({ forward: [], backward: [] }),
    trainsWeights: false,
    trainsAll: false,
    fullGradients: false,
  };
}

/** What scales the bases at a target module. */
interface Scaling<T> {
  /** λ, `[N · r]`. */
  readonly lambda: T;
  /** γ, `[N, min]`. */
  readonly gamma: T;
}

function attach({ gpu, targetModules, head, random }: Setup, options: RandloraOptions): Optimizer {
  const { rank, scale } = options;
  const pack = (kind: string, shapeOf: (targetModule: TargetModule) => number[]) => {
    using _ = gpu.countAs("adapters");
    const entries = targetModules.map((targetModule) => ({
      label: `${targetModule.name}.${kind}`,
      shape: shapeOf(targetModule),
    }));
    return gpu.pack(entries, kind).parts.map((value): Parameter => ({ name: value.label, value }));
  };
  const lambdas = pack("lambda", (targetModule) => [sizesOf(rank, targetModule).inner]);
  const gammas = pack("gamma", (targetModule) => {
    const { times, least } = sizesOf(rank, targetModule);
    return [times, least];
  });
  for (const { value } of gammas) {
    const [times, least] = value.shape as [number, number];
    gpu.write(value, new Float32Array(times * least).fill(1 / least));
  }
  const places = new Map(
    targetModules.map((targetModule, i) => [targetModule, { lambda: lambdas[i]!, gamma: gammas[i]! }]),
  );
  using _ = gpu.countAs("state");
  const shapes = shapesOf(rank, targetModules), { a, b } = drawBases(gpu, random, shapes);
  const rooms = {
    scaled: gpu.empty([shapes.scaled], "room for a scaled A"),
    ofScaled: gpu.empty([shapes.scaled], "room for its gradient"),
    weight: gpu.empty([shapes.weight], "room for a weight"),
    ofWeight: gpu.empty([shapes.weight], "room for its gradient"),
  };
  const trainable = [...lambdas, ...gammas, ...head], adamw = createAdamw(gpu, trainable, options);
  const scalingOf = (targetModule: TargetModule): Scaling<Parameter> => {
    const found = places.get(targetModule);
    if (found) return found;
    throw new Error(
      `Cannot find scales of target module "${targetModule.name}": it is not adapted in this run`,
    );
  };
  /** The B_j of a target module, turned over and below each other, `[N · r, max]`. */
  const basesOf = (targetModule: TargetModule): Tensor => {
    const { inner, most } = sizesOf(rank, targetModule);
    return { ...b.find(({ shape }) => shape[1] === most)!, shape: [inner, most] };
  };
  /** A as it is scaled, `[N · r, min]`, or its change where that is added. */
  const scaledA = (targetModule: TargetModule, by: Scaling<Tensor>, accumulate = false): Tensor => {
    const { inner, least } = sizesOf(rank, targetModule), into = { ...rooms.scaled, shape: [inner, least] };
    return scaleBasis(gpu, a, { scales: by.lambda, gains: by.gamma }, { into, accumulate });
  };
  /** into += s Σ_j B_j of a scaled A, turned over where the inputs are more. */
  const addSum = (targetModule: TargetModule, scaled: Tensor, into: Tensor): Tensor => {
    const bases = basesOf(targetModule), isTurned = targetModule.in > targetModule.out;
    const [first, second] = isTurned ? [scaled, bases] : [bases, scaled];
    return matmul(gpu, first, second, { transposeA: true, into, accumulate: true, scale });
  };
  return {
    trainable,
    state: [...[a, ...b].map((value) => ({ name: value.label, value })), ...adamw.state],
    hostState: noHostState,
    changesWhole: true,
    linear(tape, targetModule, x) {
      const { lambda, gamma } = scalingOf(targetModule), shape = [targetModule.out, targetModule.in];
      const by = { lambda: lambda.value, gamma: gamma.value };
      return formedLinear(tape, x, {
        name: "RandLoRA linear",
        trained: [tape.parameter(lambda), tape.parameter(gamma)],
        form() {
          const { weight } = targetModule, into = { ...rooms.weight, shape };
          if (isLowPrecision(weight)) toFloat(gpu, weight.value, into);
          else gpu.copy(weight.value, into);
          return addSum(targetModule, scaledA(targetModule, by), into);
        },
        room: { ...rooms.ofWeight, shape },
        pull(gradient, inputs) {
          const { inner, least } = sizesOf(rank, targetModule);
          const into = { ...rooms.ofScaled, shape: [inner, least] };
          const isTurned = targetModule.in > targetModule.out;
          matmul(gpu, basesOf(targetModule), gradient, { transposeB: isTurned, into, scale });
          if (inputs.wanted(1)) scalesGradient(gpu, a, into, inputs.target(1), { gains: by.gamma });
          if (inputs.wanted(2)) gainsGradient(gpu, a, into, by.lambda, inputs.target(2));
        },
      });
    },
    step: (gradients, at) => adamw.step(gradients, at),
    effectiveWeight(targetModule) {
      const { lambda, gamma } = scalingOf(targetModule);
      const scaled = scaledA(targetModule, { lambda: lambda.value, gamma: gamma.value });
      return addSum(targetModule, scaled, copyWeight(gpu, targetModule));
    },
    equivalentGradients: (gradients) =>
      new Map(targetModules.map((targetModule) => {
        const { name, in: columns, out } = targetModule, { lambda, gamma } = scalingOf(targetModule);
        scaledA(targetModule, { lambda: gradients.of(lambda), gamma: gamma.value });
        const change = scaledA(
          targetModule,
          { lambda: lambda.value, gamma: gradients.of(gamma) },
          true,
        );
        const into = gpu.zeros([out, columns], `${name} equivalent gradient`);
        return [targetModule, addSum(targetModule, change, into)];
      })),
    factors: () => null,
    inspect: () => Promise.resolve({}),
  };
}

/** A and the B_j as PEFT has them: uniform, and divided by their standard deviation. Each cut of the B_j has the same numbers. */
function drawBases(gpu: Gpu, random: Random, { a, b }: ReturnType<typeof shapesOf>) {
  const draw = (kind: string, count: number) => {
    const values = random.fork(kind).uniform(count, -1, 1);
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    // One number alone has no deviation.
    const deviation = count > 1 ? Math.sqrt(squares / (count - 1)) : Math.sqrt(1 / 3);
    return values.map((value) => value / deviation);
  };
  const rows = Math.max(...b.map(([inner]) => inner)), columns = Math.max(...b.map(([, most]) => most));
  const drawn = draw("shared B", rows * columns);
  return {
    a: gpu.upload(draw("shared A", a[0] * a[1]), "f32", a, "shared A"),
    b: b.map(([inner, most]) => {
      const cut = Float32Array.from(
        { length: inner * most },
        (_, i) => drawn[Math.floor(i / most) * columns + i % most]!,
      );
      return gpu.upload(cut, "f32", [inner, most], `shared B.${most}`);
    }),
  };
}
