/** @file GaLore, Fira and APOLLO: weights of full size, whose optimizer keeps moments of low rank. */
import { matmul } from "../../autodiff/mod.ts";
import type { Gradients, Parameter } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import * as kernels from "../../kernels/mod.ts";
import type { TargetModule } from "../../models/model.ts";
import {
  ADAMW_WORK,
  adamwDefaults,
  type AdamwOptions,
  adamwState,
  createAdamw,
  validateAdamw,
} from "../adamw.ts";
import { largerOf } from "../factor_sides.ts";
import { full } from "../full.ts";
import { trainableWeight } from "../module_weight.ts";
import {
  defineOptimizer,
  type Footprint,
  type ModelShapes,
  noHostState,
  type Optimizer,
  type OptimizerModule,
  type PackSizes,
  type Setup,
  type StepInfo,
  type StepSizes,
  type StepWork,
} from "../optimizer.ts";
import { scaleChannels } from "./channels.ts";

const RULES = ["galore", "fira", "apollo"] as const;

/** Settings of GaLore, Fira and APOLLO. */
export type GaloreOptions = AdamwOptions & {
  /** "galore", "fira" or "apollo". */
  rule: string;
  /** r, from 1 to the smaller side of every adapted map. */
  rank: number;
  /** Steps that Q stays as it is. */
  period: number;
  /** Multiplies the learning rate of the adapted maps. */
  scale: number;
  /** How many times the last step's norm that of a step outside Q's span may be, 1 or more; 0 for no limit. */
  growth: number;
  /** "all", or "targetModules". */
  trains: string;
};
const defaults: GaloreOptions = {
  rule: "galore",
  rank: 8,
  period: 200,
  scale: 0.25,
  growth: 1.01,
  trains: "all",
  ...adamwDefaults,
};

/** A map's sides, as `[out, in]`. */
type Size = { readonly in: number; readonly out: number };

/**
 * Full fine-tuning whose moments have low rank. At an adapted map with at least as many rows as columns Q is r × in,
 *
 *     R = G Qᵀ,    N = AdamW's direction of R,    W ← W − rate · scale · N Q,
 *
 * and at others Q is out × r, R = Qᵀ G and Q N takes the place of N Q: the shorter side is projected. All else follows AdamW.
 *
 * Option `rule`: "galore" (default) as above, Q being the r first singular vectors of G; "fira" adds the rest of the gradient, each
 * of its channels j by how far N went in it, φ_j (G − R Q)_j with φ_j = |N_j| / |R_j|; "apollo" takes φ_j G_j alone, with a random Q
 * of variance 1 / r. Channels are rows where the columns are projected. In these two the norm of what φ has scaled grows by `growth`
 * a step at most, as Fira's limiter has it, which APOLLO's paper takes over; a last norm of 0 sets no limit.
 *
 * Q is taken anew every `period` steps, from the gradient of the step, and moments stay as they are, though they then belong to other
 * directions. The singular vectors of the first Q are of the first batch's gradient before the first step, since `attach` takes
 * them; later ones are found within the step, which then waits for the GPU.
 *
 * `scale` is 0.25 as GaLore's; published runs of APOLLO have 1. `trains` is full fine-tuning's. Epsilon is added to the
 * root of the corrected second moment, and decay comes before the step, as in PyTorch's AdamW; published code has an epsilon of 1e-6 before
 * the correction, and decay after the step. Fira's code takes `scale` times R Q out of the gradient, which is the projection
 * at scale 1 alone; here it is always the projection. φ and its limit are of corrected directions, as in the papers, where published
 * code corrects after the limit. APOLLO-Mini, of one number for each map, is not offered.
 *
 * The equivalent gradient is the projection of G with "galore", and G with the others.
 * Source: Zhao et al., arXiv 2403.03507; Chen et al. (Fira), arXiv 2410.01623; Zhu et al. (APOLLO), arXiv 2412.05270.
 */
export const galore: OptimizerModule<GaloreOptions> = defineOptimizer({
  id: "galore",
  title: "GaLore",
  source: "https://arxiv.org/abs/2403.03507",
  paper: {
    title: "GaLore: Memory-Efficient LLM Training by Gradient Low-Rank Projection",
    authors: [
      "Jiawei Zhao",
      "Zhenyu Zhang",
      "Beidi Chen",
      "Zhangyang Wang",
      "Anima Anandkumar",
      "Yuandong Tian",
    ],
    year: 2024,
  },
  defaults,
  validate(options, targetModules, steps) {
    const { rule, rank, period, scale, growth } = options;
    if (!RULES.some((known) => known === rule)) return `rule is "${rule}", known are ${RULES.join(", ")}`;
    if (!(Number.isInteger(rank) && rank >= 1)) {
      return `rank is ${rank}, a whole number of 1 or more is needed`;
    }
    if (!(Number.isInteger(period) && period >= 1)) {
      return `period is ${period}, a whole number of 1 or more is needed`;
    }
    if (!(scale > 0 && Number.isFinite(scale))) return `scale is ${scale}, a positive number is needed`;
    if (!(growth === 0 || growth >= 1 && Number.isFinite(growth))) {
      return `growth is ${growth}, 1 or more is needed, or 0 for no limit`;
    }
    if (rule === "galore" && growth !== defaults.growth) {
      return `growth is ${growth} with rule "galore", which limits nothing: leave it out`;
    }
    const narrow = targetModules.find((targetModule) => rank > smaller(targetModule));
    if (narrow) {
      return `rank is ${rank}, at most ${
        smaller(narrow)
      } is possible at target module "${narrow.name}" [${narrow.out}, ${narrow.in}]`;
    }
    return full.validate(options, targetModules, steps) ?? validateAdamw(options);
  },
  describe: (options) =>
    [
      ...options.rule === "galore" ? [] : [options.rule === "fira" ? "Fira" : "APOLLO"],
      ...full.describe(options) === "" ? [] : [full.describe(options)],
    ].join(", "),
  stepWork,
  footprint,
  attach,
});

/** The side that is projected. */
function smaller(size: Size): number {
  return Math.min(size.in, size.out);
}

/** The side that channels lie along. */
function larger(size: Size): number {
  return Math.max(size.in, size.out);
}

/** Full fine-tuning's, with another update of the adapted maps. New singular vectors, once in many steps, are not counted. */
function stepWork(options: GaloreOptions, sizes: StepSizes): StepWork {
  const { rank, rule } = options,
    work = full.stepWork(options, sizes),
    { flops, elements, state } = ADAMW_WORK;
  const sum = (count: (size: Size) => number) =>
    sizes.targetModules.reduce((total, size) => total + count(size), 0);
  const weights = sum((size) => size.in * size.out), low = rank * sum(larger), bases = rank * sum(smaller);
  const scaled = rule !== "galore", products = rule === "fira" ? 3 : rule === "galore" ? 2 : 1;
  return {
    ...work,
    updateFlops: work.updateFlops - flops * weights + flops * low + 2 * products * rank * weights +
      (scaled ? 5 : 2) * weights,
    updateElements: work.updateElements - elements * weights + elements * low + products * (low + bases) +
      // G read and the step taken; a copy, its norms and its scaling; two products that are added.
      (4 + (scaled ? 5 : 1) + (rule === "fira" ? 4 : 0)) * weights + (scaled ? 2 * low : 0),
    state: work.state - state * weights + state * low + bases + (scaled ? sizes.targetModules.length : 0),
  };
}

/** Numbers of those parameters that are no adapted map: which of equal sizes go makes no difference. */
function othersOf({ targetModules, parameters }: ModelShapes): PackSizes {
  const others = [...parameters];
  for (const size of targetModules) {
    const place = others.indexOf(size.in * size.out);
    if (place >= 0) others.splice(place, 1);
  }
  return others;
}

function footprint(options: GaloreOptions, model: ModelShapes): Footprint {
  const { rank, rule, trains } = options, { targetModules, head } = model, scaled = rule !== "galore";
  const low = targetModules.map((size) => rank * larger(size));
  const bases = targetModules.map((size) => rank * smaller(size));
  const rooms = targetModules.map((size) => [
    [size.in * size.out],
    ...scaled ? [[larger(size)], [larger(size)]] : [],
  ]);
  return {
    ...full.footprint(options, model),
    state: [
      ...adamwState(trains === "all" ? othersOf(model) : head),
      bases,
      ...adamwState(low),
      ...scaled ? [targetModules.map(() => 1)] : [],
    ],
    scratch: [low, low, ...rooms.reduce(largerOf, [])],
    fullGradients: rule !== "apollo",
  };
}

/** An adapted map with the subspace that its moments lie in. */
interface Projected {
  readonly targetModule: TargetModule;
  readonly weight: Parameter;
  /** True where rows are projected, since there are fewer of them than columns. */
  readonly wide: boolean;
  /** Q: `[out, r]` where rows are projected, `[r, in]` where columns are. */
  readonly basis: Tensor;
}

/** R of a gradient. */
function project(gpu: Gpu, { wide, basis }: Projected, gradient: Tensor, into?: Tensor): Tensor {
  const where = into ? { into } : {};
  return wide
    ? kernels.matmul(gpu, basis, gradient, { transposeA: true, ...where })
    : kernels.matmul(gpu, gradient, basis, { transposeB: true, ...where });
}

/** into (+)= scale · what a matrix of R's shape is in weight space. */
function addBack(
  gpu: Gpu,
  { wide, basis }: Projected,
  low: Tensor,
  { into, scale, accumulate }: {
    readonly into: Tensor;
    readonly scale: number;
    readonly accumulate: boolean;
  },
): Tensor {
  const [left, right] = wide ? [basis, low] : [low, basis];
  return kernels.matmul(gpu, left, right, { into, scale, accumulate });
}

async function attach(setup: Setup, options: GaloreOptions): Promise<Optimizer> {
  const { gpu, targetModules, parameters, head } = setup, { rule, rank, period, trains } = options;
  const weights = targetModules.map(trainableWeight), isWeight = new Set(weights);
  const others = trains === "all" ? parameters.filter((parameter) => !isWeight.has(parameter)) : head;
  using _ = gpu.countAs("state");
  const adamw = createAdamw(gpu, others, options);
  const isWide = ({ in: columns, out }: Size) => out < columns;
  const pack = (kind: string, shapeOf: (size: Size) => readonly number[]) =>
    gpu.pack(
      targetModules.map((targetModule) => ({
        label: `${targetModule.name}.${kind}`,
        shape: shapeOf(targetModule),
      })),
      kind,
    );
  const lowShape = (size: Size) => isWide(size) ? [rank, size.in] : [size.out, rank];
  const bases = pack("Q", (size) => isWide(size) ? [size.out, rank] : [rank, size.in]);
  const first = pack("m", lowShape), second = pack("v", lowShape);
  const last = rule === "galore" ? null : pack("norm", () => [1]);
  const maps = targetModules.map((targetModule, i): Projected => ({
    targetModule,
    weight: weights[i]!,
    wide: isWide(targetModule),
    basis: bases.parts[i]!,
  }));
  const byTargetModule = new Map(maps.map((map) => [map.targetModule, map]));
  const drawAll = (turn: number) => {
    for (const map of maps) drawBasis(setup, map, rank, turn);
  };

  if (rule === "apollo") drawAll(0);
  else {
    for await (const { targetModule, gradient } of setup.fullGradients(1)) {
      await findBasis(setup, byTargetModule.get(targetModule)!, gradient, { rank, turn: 0 });
    }
  }

  const update = (gradients: Gradients, { step, learningRate }: StepInfo) => {
    adamw.step(gradients, { step, learningRate });
    using _ = gpu.scope("low-rank moments", "scratch");
    const low = pack("R", lowShape), directions = pack("N", lowShape);
    maps.forEach((map, i) => project(gpu, map, gradients.of(map.weight), low.parts[i]!));
    // A step of length 1 from 0 is AdamW's direction, turned round.
    directions.flats.forEach((parameter, i) => {
      const tensors = { parameter, gradient: low.flats[i]!, m: first.flats[i]!, v: second.flats[i]! };
      kernels.adamwUpdate(gpu, tensors, { ...options, step, learningRate: 1, weightDecay: 0 });
    });
    maps.forEach((map, i) => {
      const { value } = map.weight, direction = directions.parts[i]!, back = { scale: -1 };
      using _ = gpu.scope(`${map.weight.name} step`, "scratch");
      const into = gpu.empty(value.shape, `${map.weight.name} step`);
      if (last) {
        gpu.copy(gradients.of(map.weight), into);
        if (rule === "fira") addBack(gpu, map, low.parts[i]!, { ...back, into, accumulate: true });
        const { growth } = options;
        const channels = map.wide ? "columns" : "rows";
        scaleChannels(gpu, into, { direction, low: low.parts[i]!, last: last.parts[i]!, growth, channels });
      }
      if (rule !== "apollo") addBack(gpu, map, direction, { ...back, into, accumulate: rule === "fira" });
      kernels.sgdUpdate(
        gpu,
        value,
        into,
        learningRate * options.scale,
        1 - learningRate * options.weightDecay,
      );
    });
  };
  const renew = async (gradients: Gradients, turn: number) => {
    if (rule === "apollo") return drawAll(turn);
    for (const map of maps) await findBasis(setup, map, gradients.of(map.weight), { rank, turn });
  };

  return {
    trainable: trains === "all" ? parameters : [...weights, ...head],
    state: [
      ...adamw.state,
      ...[bases, first, second, ...last ? [last] : []].flatMap(({ parts }) =>
        parts.map((value): Parameter => ({ name: value.label, value }))
      ),
    ],
    hostState: noHostState,
    linear: (tape, targetModule, x) =>
      matmul(tape, x, tape.parameter(trainableWeight(targetModule)), { transposeB: true }),
    step(gradients, at) {
      const turn = (at.step - 1) / period;
      if (turn === 0 || !Number.isInteger(turn)) return update(gradients, at);
      return renew(gradients, turn).then(() => update(gradients, at));
    },
    effectiveWeight: (targetModule) => trainableWeight(targetModule).value,
    equivalentGradients: (gradients) =>
      new Map(maps.map((map) => {
        const gradient = gradients.of(map.weight);
        if (rule !== "galore") return [map.targetModule, gradient];
        const into = gpu.empty(gradient.shape, `${map.targetModule.name} equivalent gradient`);
        using _ = gpu.scope("projected gradient", "scratch");
        addBack(gpu, map, project(gpu, map, gradient), { into, scale: 1, accumulate: false });
        return [map.targetModule, into];
      })),
    factors: () => null,
    inspect: () => Promise.resolve({}),
  };
}

/** Fills Q with random numbers of variance 1 / r. */
function drawBasis({ gpu, random }: Setup, { basis }: Projected, rank: number, turn: number): void {
  const count = basis.shape.reduce((product, side) => product * side, 1);
  gpu.write(basis, random.fork(`${basis.label} ${turn}`).normal(count, 1 / Math.sqrt(rank)));
}

/** Fills Q with the first singular vectors of a gradient; it stays as it is where the gradient is not finite. Waits for the GPU. */
async function findBasis(
  { gpu, random }: Setup,
  { basis, wide }: Projected,
  gradient: Tensor,
  { rank, turn }: { readonly rank: number; readonly turn: number },
): Promise<void> {
  using _ = gpu.scope(`${basis.label} from a gradient`, "scratch");
  const [square] = await gpu.download(kernels.dot(gpu, gradient, gradient));
  if (!Number.isFinite(square)) return;
  const { left, right } = await kernels.truncatedSvd(
    gpu,
    gradient,
    rank,
    random.fork(`${basis.label} ${turn}`),
  );
  gpu.write(basis, Float32Array.from(wide ? left : right));
}
