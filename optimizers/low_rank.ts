/** @file The body that the LoRA family shares: W + s·B·A, with three exchangeable parts. */
import { adaptedLinear } from "../autodiff/mod.ts";
import type { Gradients, Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import * as kernels from "../kernels/mod.ts";
import type { LinearSite } from "../models/model.ts";
import {
  ADAMW_WORK,
  adamwDefaults,
  type AdamwOptions,
  adamwState,
  createAdamw,
  refuseAdamw,
} from "./adamw.ts";
import type {
  Factors,
  Footprint,
  ModelShapes,
  Optimizer,
  Setup,
  StepInfo,
  StepSizes,
  StepWork,
} from "./optimizer.ts";
import { copyWeight, rewriteWeight } from "./site_weight.ts";

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

/** What is wrong with the family's options for these sites, in one sentence, or null. */
export function refuseLowRank(
  options: LowRankOptions,
  sites: readonly { readonly name: string; readonly in: number; readonly out: number }[],
  mostRank = (site: { readonly in: number; readonly out: number }) => Math.min(site.in, site.out),
): string | null {
  const { rank, alpha, scaling } = options;
  if (!(Number.isInteger(rank) && rank >= 1)) return `rank is ${rank}, a whole number of 1 or more is needed`;
  if (!(alpha > 0 && Number.isFinite(alpha))) return `alpha is ${alpha}, a positive number is needed`;
  if (!SCALINGS.some((known) => known === scaling)) {
    return `scaling is "${scaling}", known are ${SCALINGS.join(", ")}`;
  }
  const narrow = sites.find((site) => rank > mostRank(site));
  if (narrow) {
    return `rank is ${rank}, at most ${
      mostRank(narrow)
    } is possible at site "${narrow.name}" [${narrow.out}, ${narrow.in}]`;
  }
  return refuseAdamw(options);
}

/** A site's part of a rule's update, by formula. */
export interface RuleWork {
  readonly flops: number;
  readonly elements: number;
  /** Numbers of state. */
  readonly state: number;
}

/**
 * A step of a member of the family, by formula: through each site six thin products, forward, factor gradients and
 * input gradient with each factor, 6 r (in + out) FLOPs a row; and the rule's update, LoRA's own where none is given.
 */
export function lowRankWork(
  { rank }: LowRankOptions,
  { sites, parts }: StepSizes,
  rule = (site: { readonly in: number; readonly out: number }): RuleWork => {
    const { flops, elements, state } = ADAMW_WORK, factors = rank * (site.in + site.out);
    return { flops: flops * factors, elements: elements * factors, state: state * factors };
  },
): StepWork {
  const sum = (count: (site: StepSizes["sites"][number]) => number) =>
    sites.reduce((total, site) => total + count(site), 0);
  const factors = sum((site) => rank * (site.in + site.out));
  return {
    trainsAll: false,
    weightFlops: 0,
    // Below the first adapted map nothing asks for the gradient of x, nor for A's part in it.
    factorFlops: sum((site) =>
      2 * rank * site.rows * (3 * site.out + (site.inputGradient ? 3 : 2) * site.in)
    ),
    updateFlops: sum((site) => rule(site).flops),
    elements: sum((site) =>
      3 * (parts * rank * (site.in + site.out) + site.rows * (site.in + 2 * site.out + 2 * rank))
    ),
    updateElements: sum((site) => rule(site).elements),
    activations: sum((site) => rank * site.rows),
    trained: factors,
    added: factors,
    state: sum((site) => rule(site).state),
  };
}

/** What a member of the family keeps on the GPU, by formula: factors and AdamW's moments, where `own` says nothing else. */
export function lowRankFootprint(
  { rank }: LowRankOptions,
  { sites, head }: ModelShapes,
  own: Partial<Footprint> = {},
): Footprint {
  const a = sites.map((site) => rank * site.in), b = sites.map((site) => rank * site.out);
  const { state = adamwState([...a, ...b]), ...rest } = own;
  return {
    adapters: [a, b],
    trained: [...a, ...b, ...head],
    tables: [],
    scratch: [],
    // x Aᵀ and its gradient.
    linear: () => [rank, rank],
    trainsWeights: false,
    trainsAll: false,
    fullGradients: false,
    ...rest,
    state: [...state, ...adamwState(head)],
  };
}

/** Gradients of a site's factors; null where the method leaves a factor as it is. */
export interface FollowedGradients {
  /** `[rank, in]`. */
  readonly a: Tensor | null;
  /** `[out, rank]`. */
  readonly b: Tensor | null;
}

/** How factor gradients change the factors. */
export interface Rule {
  readonly state: readonly Parameter[];
  /** The factor gradients that the method acts on, site by site; plain LoRA returns them as they are. */
  adjust(gradients: Gradients): readonly FollowedGradients[];
  step(gradients: Gradients, at: StepInfo): void;
  /** As `Optimizer.inspect`; nothing where absent. */
  inspect?(): Promise<Readonly<Record<string, number>>>;
}

/** How the weight of a site depends on its factors, and on what a form trains beside them. */
export interface WeightForm {
  /** What is trained beside the factors, in category "adapters". */
  readonly added: readonly Parameter[];
  /** As `Optimizer.linear`. */
  linear(tape: Tape, pair: Factors, x: Var): Var;
  /** As `Optimizer.effectiveWeight`. */
  effectiveWeight(pair: Factors): Tensor;
  /** As `Optimizer.equivalentGradients`, for one site, from the gradients that the rule follows. */
  equivalentGradient(pair: Factors, followed: FollowedGradients, gradients: Gradients): Tensor;
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
}

/** A member of the LoRA family at work. All A lie side by side, and all B. */
export async function attachLowRank<O extends LowRankOptions>(
  setup: Setup,
  options: O,
  parts: LowRankParts<O> = {},
): Promise<Optimizer> {
  const { gpu, sites, head } = setup;
  const { rule: ruleOf = adamwRule, trainsA = true } = parts;
  const factors = createFactors(gpu, sites, options.rank, scaleOf(options), trainsA);
  initializeA(setup, factors);
  await parts.initialize?.(setup, factors, options);
  const form = await (parts.form ?? productForm)(setup, factors, options);
  using _ = gpu.countAs("state");
  const rule = ruleOf(setup, factors, options, form.added);
  const headRule = head.length > 0 ? createAdamw(gpu, head, options) : null;
  // A random A that stays as it is is no less needed to go on from a checkpoint.
  const frozen = trainsA ? [] : factors.map(({ a }) => a);
  const state = [...frozen, ...rule.state, ...headRule?.state ?? []];
  const bySite = new Map(factors.map((pair) => [pair.site, pair]));
  const factorsOf = (site: LinearSite): Factors => {
    const pair = bySite.get(site);
    if (!pair) throw new Error(`Cannot find factors of site "${site.name}": it is not adapted in this run`);
    return pair;
  };

  return {
    trainable: [
      ...trainsA ? factors.map(({ a }) => a) : [],
      ...factors.map(({ b }) => b),
      ...form.added,
      ...head,
    ],
    state,
    linear: (tape, site, x) => form.linear(tape, factorsOf(site), x),
    step(gradients, at) {
      rule.step(gradients, at);
      headRule?.step(gradients, at);
    },
    effectiveWeight: (site) => form.effectiveWeight(factorsOf(site)),
    equivalentGradients(gradients) {
      const followed = rule.adjust(gradients);
      return new Map(
        factors.map((pair, i) => [pair.site, form.equivalentGradient(pair, followed[i]!, gradients)]),
      );
    },
    factors(site) {
      const pair = bySite.get(site);
      return pair ? form.factors(pair) : null;
    },
    inspect: () => rule.inspect?.() ?? Promise.resolve({}),
  };
}

/** LoRA's own form, W + s·B·A: nothing beside the factors is trained. */
export function productForm({ gpu }: Setup): WeightForm {
  return {
    added: [],
    linear: (tape, { site, a, b, scale }, x) =>
      adaptedLinear(tape, x, tape.parameter(site.weight), tape.parameter(a), tape.parameter(b), scale),
    effectiveWeight({ site, a, b, scale }) {
      const into = copyWeight(gpu, site);
      return kernels.matmul(gpu, b.value, a.value, { scale, into, accumulate: true, seldom: true });
    },
    equivalentGradient: (pair, followed) => productGradient(gpu, pair, followed),
    factors: (pair) => pair,
  };
}

/** s (B gA + gB A), `[out, in]`, in the caller's scope: how s·B·A moves, to first order, where its factors do. */
export function productGradient(
  gpu: Gpu,
  { site, a, b, scale }: Factors,
  followed: FollowedGradients,
): Tensor {
  const into = gpu.zeros(site.weight.value.shape, `${site.name} equivalent gradient`);
  if (followed.a) kernels.matmul(gpu, b.value, followed.a, { scale, into, accumulate: true, seldom: true });
  if (followed.b) kernels.matmul(gpu, followed.b, a.value, { scale, into, accumulate: true, seldom: true });
  return into;
}

/** A and B of every site: two packs, B zero. */
function createFactors(
  gpu: Gpu,
  sites: readonly LinearSite[],
  rank: number,
  scale: number,
  trainsA: boolean,
): Factors[] {
  const pack = (factor: "A" | "B", trained: boolean) => {
    using _ = gpu.countAs(trained ? "adapters" : "state");
    const entries = sites.map(({ name, in: columns, out }) => ({
      label: `${name}.${factor}`,
      shape: factor === "A" ? [rank, columns] : [out, rank],
    }));
    return gpu.pack(entries, `factors ${factor}`).parts;
  };
  const a = pack("A", trainsA), b = pack("B", true);
  return sites.map((site, i) => ({
    site,
    a: { name: a[i]!.label, value: a[i]! },
    b: { name: b[i]!.label, value: b[i]! },
    scale,
  }));
}

/** A ~ U(−1/√in, 1/√in), as PEFT's kaiming_uniform(a = √5) gives; B stays 0. */
function initializeA(setup: Setup, factors: readonly Factors[]): void {
  for (const { site, a } of factors) {
    const bound = 1 / Math.sqrt(site.in);
    const values = setup.random.fork(a.name).uniform(a.value.shape[0]! * site.in, -bound, bound);
    setup.gpu.write(a.value, values);
  }
}

/** Takes s·B·A out of each weight, so that a start with B ≠ 0 leaves the effective weight as it was. */
export function foldProductOut(gpu: Gpu, { site, a, b, scale }: Factors): void {
  rewriteWeight(gpu, site, (into) => {
    kernels.matmul(gpu, b.value, a.value, { scale: -scale, into, accumulate: true, seldom: true });
  });
}

/** LoRA's own rule: AdamW on the gradients as they are, of the factors and of what the form adds. */
export function adamwRule(
  setup: Setup,
  factors: readonly Factors[],
  options: LowRankOptions,
  added: readonly Parameter[],
): Rule {
  const adamw = createAdamw(
    setup.gpu,
    [...factors.map(({ a }) => a), ...factors.map(({ b }) => b), ...added],
    options,
  );
  return {
    state: adamw.state,
    adjust: (gradients) => factors.map(({ a, b }) => ({ a: gradients.of(a), b: gradients.of(b) })),
    step: (gradients, at) => adamw.step(gradients, at),
  };
}
