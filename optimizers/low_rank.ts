/**
 * @file The body that the LoRA family shares: W + s·B·A, with three exchangeable parts. A and B may be frozen, and a
 * factor between them trained.
 */
import { adaptedLinear, linearWith, matmul } from "../autodiff/mod.ts";
import type { Gradients, Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import * as kernels from "../kernels/mod.ts";
import type { TargetModule } from "../models/model.ts";
import {
  ADAMW_WORK,
  adamwDefaults,
  type AdamwOptions,
  adamwState,
  createAdamw,
  validateAdamw,
} from "./adamw.ts";
import {
  type Factors,
  type Footprint,
  type HostState,
  type ModelShapes,
  noHostState,
  type Optimizer,
  type Setup,
  type StepInfo,
  type StepSizes,
  type StepWork,
} from "./optimizer.ts";
import { startByLoftq } from "./loftq.ts";
import { copyWeight, rewriteWeight } from "./module_weight.ts";

/** How s follows from alpha and the rank r. */
export const SCALINGS = ["alpha/r", "alpha/sqrt(r)"] as const;

/** Options that every member of the family has. */
export type LowRankOptions = AdamwOptions & {
  /** r, from 1 to the smaller side of every adapted map. */
  rank: number;
  /** Sets the scale s of the product B A together with the rank. */
  alpha: number;
  /** "alpha/r" or "alpha/sqrt(r)". */
  scaling: string;
};
/** Their defaults. */
export const lowRankDefaults: LowRankOptions = { rank: 8, alpha: 16, scaling: "alpha/r", ...adamwDefaults };

/** s of a rank. @throws {RangeError} where the scaling is unknown */
export function scaleOf({ alpha, rank, scaling }: LowRankOptions): number {
  if (scaling === "alpha/r") return alpha / rank;
  if (scaling === "alpha/sqrt(r)") return alpha / Math.sqrt(rank);
  throw new RangeError(`Cannot scale by "${scaling}": known are ${SCALINGS.join(", ")}`);
}

/** What is wrong with the family's options for these target modules, in one sentence, or null. */
export function validateLowRank(
  options: LowRankOptions,
  targetModules: readonly { readonly name: string; readonly in: number; readonly out: number }[],
  mostRank = (targetModule: { readonly in: number; readonly out: number }): number =>
    Math.min(targetModule.in, targetModule.out),
): string | null {
  const { rank, alpha, scaling } = options;
  if (!(Number.isInteger(rank) && rank >= 1)) return `rank is ${rank}, a whole number of 1 or more is needed`;
  if (!(alpha > 0 && Number.isFinite(alpha))) return `alpha is ${alpha}, a positive number is needed`;
  if (!SCALINGS.some((known) => known === scaling)) {
    return `scaling is "${scaling}", known are ${SCALINGS.join(", ")}`;
  }
  const narrow = targetModules.find((targetModule) => rank > mostRank(targetModule));
  if (narrow) {
    return `rank is ${rank}, at most ${
      mostRank(narrow)
    } is possible at target module "${narrow.name}" [${narrow.out}, ${narrow.in}]`;
  }
  return validateAdamw(options);
}

/** A target module's part of a rule's update, by formula. */
export interface RuleWork {
  /** FLOPs of the update. */
  readonly flops: number;
  /** Elements that it moves. */
  readonly elements: number;
  /** Numbers of state. */
  readonly state: number;
}

/**
 * A step of a member of the family, by formula: through each target module six thin products, forward, factor gradients and
 * input gradient with each factor, 6 r (in + out) FLOPs a row; and the rule's update, LoRA's own where none is given.
 */
export function lowRankWork(
  { rank }: LowRankOptions,
  { targetModules, parts }: StepSizes,
  rule = (targetModule: { readonly in: number; readonly out: number }): RuleWork => {
    const { flops, elements, state } = ADAMW_WORK, factors = rank * (targetModule.in + targetModule.out);
    return { flops: flops * factors, elements: elements * factors, state: state * factors };
  },
): StepWork {
  const sum = (count: (targetModule: StepSizes["targetModules"][number]) => number) =>
    targetModules.reduce((total, targetModule) => total + count(targetModule), 0);
  const factors = sum((targetModule) => rank * (targetModule.in + targetModule.out));
  return {
    trainsAll: false,
    weightFlops: 0,
    // Below the first adapted map nothing asks for the gradient of x, nor for A's part in it.
    factorFlops: sum((targetModule) =>
      2 * rank * targetModule.rows *
      (3 * targetModule.out + (targetModule.inputGradient ? 3 : 2) * targetModule.in)
    ),
    updateFlops: sum((targetModule) => rule(targetModule).flops),
    elements: sum((targetModule) =>
      3 *
      (parts * rank * (targetModule.in + targetModule.out) +
        targetModule.rows * (targetModule.in + 2 * targetModule.out + 2 * rank))
    ),
    updateElements: sum((targetModule) => rule(targetModule).elements),
    activations: sum((targetModule) => rank * targetModule.rows),
    trained: factors,
    added: factors,
    state: sum((targetModule) => rule(targetModule).state),
  };
}

/** What a member of the family keeps on the GPU, by formula: factors and AdamW's moments, where `own` says nothing else. */
export function lowRankFootprint(
  { rank }: LowRankOptions,
  { targetModules, head }: ModelShapes,
  own: Partial<Footprint> = {},
): Footprint {
  const a = targetModules.map((targetModule) => rank * targetModule.in),
    b = targetModules.map((targetModule) => rank * targetModule.out);
  const { state = adamwState([...a, ...b]), ...rest } = own;
  return {
    adapters: [a, b],
    trained: [...a, ...b, ...head],
    tables: [],
    scratch: [],
    // x Aᵀ and its gradient.
    linear: () => ({ forward: [rank], backward: [rank] }),
    trainsWeights: false,
    trainsAll: false,
    fullGradients: false,
    ...rest,
    state: [...state, ...adamwState(head)],
  };
}

/** Gradients of a target module's factors; null where the method leaves a factor as it is. */
export interface FollowedGradients {
  /** `[rank, in]`. */
  readonly a: Tensor | null;
  /** `[out, rank]`. */
  readonly b: Tensor | null;
}

/** How factor gradients change the factors. */
export interface Rule {
  /** As `Optimizer.state`. */
  readonly state: readonly Parameter[];
  /** As `Optimizer.hostState`. */
  readonly hostState?: HostState;
  /** The factor gradients that the method acts on, target module by target module; plain LoRA returns them as they are. */
  adjust(gradients: Gradients): readonly FollowedGradients[];
  /** As `Optimizer.step`. */
  step(gradients: Gradients, at: StepInfo): void;
  /** As `Optimizer.inspect`; nothing where absent. */
  inspect?(): Promise<Readonly<Record<string, number>>>;
}

/**
 * How the weight of a target module depends on its factors, and on what a form trains beside them. Keeps nothing from one step to
 * the next but tensors.
 */
export interface WeightForm {
  /** What is trained beside the factors, in category "adapters". */
  readonly added: readonly Parameter[];
  /** As `Optimizer.linear`. */
  linear(tape: Tape, pair: Factors, x: Var): Var;
  /** As `Optimizer.effectiveWeight`. */
  effectiveWeight(pair: Factors): Tensor;
  /** As `Optimizer.equivalentGradients`, for one target module, from the gradients that the rule follows. */
  equivalentGradient(pair: Factors, followed: FollowedGradients, gradients: Gradients): Tensor;
  /** As `Optimizer.changesWhole`. */
  readonly changesWhole?: boolean;
  /** As `Optimizer.factors`: the pair whose columns and rows span what a step can reach, or null where there is none. */
  factors(pair: Factors): Factors | null;
}

/** The parts in which members of the LoRA family differ; each has LoRA's own as its default. */
export interface LowRankParts<O extends LowRankOptions> {
  /** Fills A and B, and may take s·B·A out of the weight. */
  initialize?: (setup: Setup, factors: readonly Factors[], options: O) => void | Promise<void>;
  /** Made once A and B are filled; W + s·B·A where absent. */
  form?: (setup: Setup, factors: readonly Factors[], options: O) => WeightForm | Promise<WeightForm>;
  /** Also trains what the form adds, where it adds anything. */
  rule?: (setup: Setup, factors: readonly Factors[], options: O, added: readonly Parameter[]) => Rule;
  /** False where A stays as it was filled: it is then kept as state, in category "state". */
  trainsA?: boolean;
  /** The same for B. */
  trainsB?: boolean;
}

/** A member of the LoRA family at work. All A lie side by side, and all B. */
export async function attachLowRank<O extends LowRankOptions>(
  setup: Setup,
  options: O,
  parts: LowRankParts<O> = {},
): Promise<Optimizer> {
  const { gpu, targetModules, head } = setup;
  const { trainsA = true, trainsB = true } = parts;
  const factors = createFactors(gpu, targetModules, options.rank, scaleOf(options), { trainsA, trainsB });
  drawA(setup, factors);
  if (setup.loftq) await startByLoftq(setup, setup.loftq, factors);
  else await parts.initialize?.(setup, factors, options);
  const form = await (parts.form ?? productForm)(setup, factors, options);
  using _ = gpu.countAs("state");
  const rule = parts.rule?.(setup, factors, options, form.added) ??
    adamwRule(setup, factors, options, form.added, { trainsA, trainsB });
  const headRule = head.length > 0 ? createAdamw(gpu, head, options) : null;
  // A factor that stays as it is is no less needed to go on from a checkpoint.
  const frozen = [
    ...trainsA ? [] : factors.map(({ a }) => a),
    ...trainsB ? [] : factors.map(({ b }) => b),
  ];
  const state = [...frozen, ...rule.state, ...headRule?.state ?? []];
  const byTargetModule = new Map(factors.map((pair) => [pair.targetModule, pair]));
  const factorsOf = (targetModule: TargetModule): Factors => {
    const pair = byTargetModule.get(targetModule);
    if (!pair) {
      throw new Error(
        `Cannot find factors of target module "${targetModule.name}": it is not adapted in this run`,
      );
    }
    return pair;
  };

  return {
    trainable: [
      ...trainsA ? factors.map(({ a }) => a) : [],
      ...trainsB ? factors.map(({ b }) => b) : [],
      ...form.added,
      ...head,
    ],
    state,
    ...(rule.hostState && { hostState: rule.hostState }),
    ...(form.changesWhole && { changesWhole: true }),
    linear: (tape, targetModule, x) => form.linear(tape, factorsOf(targetModule), x),
    step(gradients, at) {
      rule.step(gradients, at);
      headRule?.step(gradients, at);
    },
    effectiveWeight: (targetModule) => form.effectiveWeight(factorsOf(targetModule)),
    equivalentGradients(gradients) {
      const followed = rule.adjust(gradients);
      return new Map(
        factors.map((pair, i) => [pair.targetModule, form.equivalentGradient(pair, followed[i]!, gradients)]),
      );
    },
    factors(targetModule) {
      const pair = byTargetModule.get(targetModule);
      return pair ? form.factors(pair) : null;
    },
    inspect: () => rule.inspect?.() ?? Promise.resolve({}),
  };
}

/** LoRA's own form, W + s·B·A: nothing beside the factors is trained. */
export function productForm({ gpu }: Setup): WeightForm {
  return {
    added: [],
    linear: (tape, { targetModule, a, b, scale }, x) =>
      adaptedLinear(
        tape,
        x,
        tape.parameter(targetModule.weight),
        tape.parameter(a),
        tape.parameter(b),
        scale,
      ),
    effectiveWeight({ targetModule, a, b, scale }) {
      const into = copyWeight(gpu, targetModule);
      return kernels.matmul(gpu, b.value, a.value, { scale, into, accumulate: true, reuse: true });
    },
    equivalentGradient: (pair, followed) => productGradient(gpu, pair, followed),
    factors: (pair) => pair,
  };
}

/**
 * A form with a factor R, `[rank, rank]`, between frozen A and B: W + s·B·R·A, where only R is trained. R starts at 0, so
 * that the weight starts as it was whatever A and B are; the first gradient of R, s Bᵀ G Aᵀ, is not 0 where theirs would be.
 * Goes with `trainsA: false` and `trainsB: false`.
 */
export function middleForm({ gpu }: Setup, factors: readonly Factors[]): WeightForm {
  using _ = gpu.countAs("adapters");
  const entries = factors.map(({ targetModule, a }) => ({
    label: `${targetModule.name}.R`,
    shape: [a.value.shape[0]!, a.value.shape[0]!],
  }));
  const added = gpu.pack(entries, "factors R").parts.map((value): Parameter => ({
    name: value.label,
    value,
  }));
  const middles = new Map(factors.map((pair, i) => [pair, added[i]!]));
  const between = ({ targetModule, a, b, scale }: Factors, middle: Tensor, into: Tensor) => {
    using _ = gpu.scope(`${targetModule.name} B R A`);
    const right = kernels.matmul(gpu, middle, a.value);
    return kernels.matmul(gpu, b.value, right, { scale, into, accumulate: true, reuse: true });
  };
  return {
    added,
    linear(tape, pair, x) {
      const { targetModule, a, b, scale } = pair;
      const low = matmul(tape, x, tape.constant(a.value), { transposeB: true });
      const inner = matmul(tape, low, tape.parameter(middles.get(pair)!), { transposeB: true });
      return linearWith(tape, x, tape.parameter(targetModule.weight), {
        inner,
        b: tape.constant(b.value),
        scale,
      });
    },
    effectiveWeight: (pair) => between(pair, middles.get(pair)!.value, copyWeight(gpu, pair.targetModule)),
    equivalentGradient: (pair, _, gradients) =>
      between(
        pair,
        gradients.of(middles.get(pair)!),
        gpu.zeros(pair.targetModule.weight.value.shape, `${pair.targetModule.name} equivalent gradient`),
      ),
    changesWhole: true,
    // A step of R reaches less than a step of A and B would.
    factors: () => null,
  };
}

/**
 * A step of a method whose one trained factor lies between frozen A and B (see `middleForm`), by formula: through each target module
 * three products forward; backward the gradients of R and of its two sides, of which x's is formed where it is asked for.
 */
export function middleWork({ rank }: LowRankOptions, { targetModules, parts }: StepSizes): StepWork {
  const sum = (count: (targetModule: StepSizes["targetModules"][number]) => number) =>
    targetModules.reduce((total, targetModule) => total + count(targetModule), 0);
  const { flops, elements, state } = ADAMW_WORK, trained = targetModules.length * rank * rank;
  return {
    trainsAll: false,
    weightFlops: 0,
    factorFlops: sum(({ rows, in: columns, out, inputGradient }) =>
      2 * rank * rows * (2 * out + (inputGradient ? 2 : 1) * columns + (inputGradient ? 3 : 2) * rank)
    ),
    updateFlops: flops * trained,
    elements: sum(({ rows, in: columns, out }) =>
      parts * (2 * rank * (columns + out) + 3 * rank * rank) + rows * (3 * (columns + out) + 10 * rank)
    ),
    updateElements: elements * trained,
    activations: sum(({ rows }) => 2 * rank * rows),
    trained,
    added: trained,
    state: state * trained + sum(({ in: columns, out }) => rank * (columns + out)),
  };
}

/** What such a method keeps on the GPU, by formula: R with its moments, A and B as state. */
export function middleFootprint(options: LowRankOptions, model: ModelShapes): Footprint {
  const { rank } = options, { targetModules, head } = model;
  const middles = targetModules.map(() => rank * rank);
  return lowRankFootprint(options, model, {
    adapters: [middles],
    trained: [...middles, ...head],
    state: [
      targetModules.map((targetModule) => rank * targetModule.in),
      targetModules.map((targetModule) => rank * targetModule.out),
      ...adamwState(middles),
    ],
    // x Aᵀ, its product with R, and the gradients of both.
    linear: () => ({ forward: [rank, rank], backward: [rank, rank] }),
  });
}

/** s (B gA + gB A), `[out, in]`, in the caller's scope: how s·B·A moves, to first order, where its factors do. */
export function productGradient(
  gpu: Gpu,
  { targetModule, a, b, scale }: Factors,
  followed: FollowedGradients,
): Tensor {
  const into = gpu.zeros(targetModule.weight.value.shape, `${targetModule.name} equivalent gradient`);
  if (followed.a) kernels.matmul(gpu, b.value, followed.a, { scale, into, accumulate: true, reuse: true });
  if (followed.b) kernels.matmul(gpu, followed.b, a.value, { scale, into, accumulate: true, reuse: true });
  return into;
}

/** A and B of every target module: two packs, B zero. */
function createFactors(
  gpu: Gpu,
  targetModules: readonly TargetModule[],
  rank: number,
  scale: number,
  { trainsA, trainsB }: Trains,
): Factors[] {
  const pack = (factor: "A" | "B", trained: boolean) => {
    using _ = gpu.countAs(trained ? "adapters" : "state");
    const entries = targetModules.map(({ name, in: columns, out }) => ({
      label: `${name}.${factor}`,
      shape: factor === "A" ? [rank, columns] : [out, rank],
    }));
    return gpu.pack(entries, `factors ${factor}`).parts;
  };
  const a = pack("A", trainsA), b = pack("B", trainsB);
  return targetModules.map((targetModule, i) => ({
    targetModule,
    a: { name: a[i]!.label, value: a[i]! },
    b: { name: b[i]!.label, value: b[i]! },
    scale,
  }));
}

/**
 * A ~ U(−1/√in, 1/√in), as PEFT's kaiming_uniform(a = √5) gives; B stays as it is.
 *
 * @param time 0 for the start; other numbers each time
 */
export function drawA(setup: Setup, factors: readonly Factors[], time = 0): void {
  for (const { targetModule, a } of factors) {
    const bound = 1 / Math.sqrt(targetModule.in), own = setup.random.fork(a.name);
    const random = time === 0 ? own : own.fork(`time ${time}`);
    const values = random.uniform(a.value.shape[0]! * targetModule.in, -bound, bound);
    setup.gpu.write(a.value, values);
  }
}

/**
 * Takes s·B·A out of each weight, so that a start with B ≠ 0 leaves the effective weight as it was, up to the rounding of
 * what the weight is kept in.
 */
export function foldProductOut(gpu: Gpu, { targetModule, a, b, scale }: Factors): Promise<void> {
  return rewriteWeight(gpu, targetModule, (into) => {
    kernels.matmul(gpu, b.value, a.value, { scale: -scale, into, accumulate: true, reuse: true });
  });
}

/** Which factors are trained. */
type Trains = { readonly [P in "trainsA" | "trainsB"]: boolean };

/** LoRA's own rule: AdamW on the gradients as they are, of the factors that are trained and of what the form adds. */
function adamwRule(
  setup: Setup,
  factors: readonly Factors[],
  options: LowRankOptions,
  added: readonly Parameter[],
  { trainsA, trainsB }: Trains,
): Rule {
  const trained = [
    ...trainsA ? factors.map(({ a }) => a) : [],
    ...trainsB ? factors.map(({ b }) => b) : [],
  ];
  const adamw = createAdamw(setup.gpu, [...trained, ...added], options);
  return {
    state: adamw.state,
    hostState: noHostState,
    adjust: (gradients) =>
      factors.map(({ a, b }) => ({
        a: trainsA ? gradients.of(a) : null,
        b: trainsB ? gradients.of(b) : null,
      })),
    step: (gradients, at) => adamw.step(gradients, at),
  };
}
