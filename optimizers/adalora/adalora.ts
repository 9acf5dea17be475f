/** @file AdaLoRA: changes of the form P diag(E) Q, whose less important triplets are dropped while training. */
import type { LowPrecisionWeight } from "../../autodiff/mod.ts";
import type { Gradients, Parameter, Tape, Var } from "../../autodiff/tape.ts";
import { ELEMENT_BYTES, type Tensor } from "../../gpu/tensor.ts";
import { matmul, MAX_RANK, smallStride, spanOf } from "../../kernels/mod.ts";
import { ADAMW_WORK, adamwState, createAdamw } from "../adamw.ts";
import { batchGradients } from "../batched_gradients.ts";
import { sideTables } from "../factor_sides.ts";
import {
  attachLowRank,
  type FollowedGradients,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  type Rule,
  type RuleWork,
  validateLowRank,
  type WeightForm,
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
import { copyWeight } from "../module_weight.ts";
import { hasTallProducts, scaledRowsBackward, Triplets, type TripletValues } from "./triplets.ts";

/** Settings of AdaLoRA. `rank` is the mean rank of a target module that is kept at the end. */
export type AdaloraOptions = Omit<LowRankOptions, "scaling"> & {
  /** Triplets of every target module at first; 0 takes 1.5 times the rank, rounded up. */
  initialRank: number;
  /** Steps before the first triplet is dropped. */
  tinit: number;
  /** Steps at the end in which the triplets that are left stay the same. */
  tfinal: number;
  /** Steps from one choice of triplets to the next. */
  deltaT: number;
  /** Decay of the average importance, from 0 to below 1. */
  importanceBeta: number;
  /** Decay of its uncertainty, from 0 to below 1. */
  uncertaintyBeta: number;
  /** Weight of the penalty on vectors that are not orthonormal. */
  orthogonality: number;
  /** What the schedule of triplets calls the first step: 1 or 0. */
  firstStep: number;
};
const { scaling: _, ...family } = lowRankDefaults;
const defaults: AdaloraOptions = {
  ...family,
  initialRank: 0,
  tinit: 0,
  tfinal: 0,
  deltaT: 1,
  importanceBeta: 0.85,
  uncertaintyBeta: 0.85,
  orthogonality: 0.5,
  firstStep: 1,
};

/** The options as the family's body takes them: `rank` is the initial one, and alpha over it this method's scale. */
type FamilyOptions = AdaloraOptions & LowRankOptions & { readonly targetRank: number };

/**
 * AdaLoRA as PEFT has it: W + s P diag(E) Q with P, Q ~ N(0, 0.02²) and E = 0, all followed by AdamW. Every target module starts
 * with r₀ triplets (p_i, E_i, q_i), option `initialRank`, and on average `rank` of them are left at the end.
 * s = alpha / (r₀ + 1e-5), whatever is left: PEFT's `ranknum` is the initial rank and stays so.
 *
 * The gradients get those of a penalty, `orthogonality` times the mean over all P and Q of the unsquared Frobenius norms
 * |PᵀP − 1| and |QQᵀ − 1|; its value is no part of the reported loss, and is told by `inspect` as "orthogonality". It
 * comes after the clipping of gradients, where PEFT's comes before.
 *
 * After each step t, counted from 1, the importance |w · dL/dw| of every number (with the parameters that the step
 * left, and with the penalty's gradient) goes into a running average I, and |importance − I| into its uncertainty U. A
 * triplet's score is I U of E_i plus the means of I U over p_i and q_i. After each step beyond `tinit` that `deltaT`
 * divides, E becomes 0 but for the b triplets of highest score over all target modules, of equal ones the first:
 *
 *     b = ⌊b_T + (b₀ − b_T) (1 − (t − tinit) / (T − tfinal − tinit))³⌋,  b₀ = r₀ target modules,  b_T = rank · target modules,
 *
 * T the run's steps. With `firstStep` 0 steps are counted from 0 in all of this, as in training loops that hand PEFT's
 * `update_and_allocate` the steps that are behind: the last one is then T − 1, so with `tfinal` 0 there is no step that chooses b_T
 * and no more, and scores learn to the end. A triplet that was dropped is still followed by AdamW and may come back. Step T − tfinal chooses
 * b_T by the scores of the step before, and that choice holds to the end. `inspect` tells ranks as "rank/<target module>".
 *
 * The equivalent gradient is that of the loss, without the penalty. What a step can reach lies within P M + N diag(E) Q:
 * where E_i = 0, E_i moves along p_i q_i and the vectors move nothing. So `factors` are P and diag(E) Q, whose product
 * is the change itself; the lower bound of the discrepancy that they give holds, and is far from tight near E = 0.
 *
 * Source: Zhang et al., arXiv 2303.10512; PEFT's AdaLoraModel and RankAllocator where they differ.
 */
export const adalora: OptimizerModule<AdaloraOptions> = defineOptimizer({
  id: "adalora",
  title: "AdaLoRA",
  source: "https://arxiv.org/abs/2303.10512",
  paper: {
    title: "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning",
    authors: [
      "Qingru Zhang",
      "Minshuo Chen",
      "Alexander Bukharin",
      "Nikos Karampatziakis",
      "Pengcheng He",
      "Yu Cheng",
      "Weizhu Chen",
      "Tuo Zhao",
    ],
    year: 2023,
  },
  defaults,
  laterOptions: ["firstStep"],
  validate,
  describe(options) {
    const named = {
      "initial rank": "initialRank",
      tinit: "tinit",
      tfinal: "tfinal",
      deltaT: "deltaT",
      "importance beta": "importanceBeta",
      "uncertainty beta": "uncertaintyBeta",
      orthogonality: "orthogonality",
      "first step": "firstStep",
    } as const;
    return Object.entries(named).filter(([, option]) => options[option] !== defaults[option])
      .map(([name, option]) => `${name} ${options[option]}`).join(", ");
  },
  stepWork(options, sizes) {
    const own = familyOf(options), { targetModules, parts } = sizes;
    const work = lowRankWork(own, sizes, (targetModule) => updateWork(own, targetModule));
    const added = own.rank * targetModules.length;
    const rows = targetModules.reduce((sum, targetModule) => sum + own.rank * targetModule.in, 0);
    return {
      ...work,
      trained: work.trained + added,
      added: work.added + added,
      // diag(E) Q is made once a part, and its gradient turned into those of Q and E: three and four times its size.
      elements: work.elements + 7 * parts * rows,
    };
  },
  footprint: (options, model) => lowRankFootprint(familyOf(options), model, ownFootprint(options, model)),
  attach: (setup, options) =>
    attachLowRank(setup, familyOf(options), { initialize, form: tripletForm, rule }),
});

/** r₀. */
function initialRankOf({ rank, initialRank }: AdaloraOptions): number {
  return initialRank === 0 ? Math.ceil(1.5 * rank) : initialRank;
}

function familyOf(options: AdaloraOptions): FamilyOptions {
  const rank = initialRankOf(options);
  return {
    ...options,
    targetRank: options.rank,
    rank,
    alpha: options.alpha * rank / (rank + 1e-5),
    scaling: "alpha/r",
  };
}

function validate(
  options: AdaloraOptions,
  targetModules: readonly { readonly name: string; readonly in: number; readonly out: number }[],
  steps: number,
): string | null {
  const { rank, initialRank, tinit, tfinal, deltaT, firstStep } = options;
  const mostRank = (targetModule: { readonly in: number; readonly out: number }) =>
    Math.min(targetModule.in, targetModule.out, MAX_RANK);
  const refusal = validateLowRank({ ...options, scaling: "alpha/r" }, targetModules, mostRank);
  if (refusal) return refusal;
  for (const [name, value] of Object.entries({ initialRank, tinit, tfinal })) {
    if (!(Number.isInteger(value) && value >= 0)) {
      return `${name} is ${value}, a whole number of 0 or more is needed`;
    }
  }
  if (!(Number.isInteger(deltaT) && deltaT >= 1)) {
    return `deltaT is ${deltaT}, a whole number of 1 or more is needed`;
  }
  for (const name of ["importanceBeta", "uncertaintyBeta"] as const) {
    const value = options[name];
    if (!(value >= 0 && value < 1)) return `${name} is ${value}, a number from 0 to below 1 is needed`;
  }
  const { orthogonality } = options;
  if (!(orthogonality >= 0 && Number.isFinite(orthogonality))) {
    return `orthogonality is ${orthogonality}, 0 or more is needed`;
  }
  if (firstStep !== 0 && firstStep !== 1) return `firstStep is ${firstStep}, 1 or 0 is needed`;
  const first = initialRankOf(options);
  if (first < rank) return `initialRank is ${first}, at least the rank, ${rank}, is needed`;
  const narrow = targetModules.find((targetModule) => first > mostRank(targetModule));
  if (narrow) {
    const name = initialRank === 0 ? `rank is ${rank} and initialRank by default` : "initialRank";
    return `${name} is ${first}, at most ${
      mostRank(narrow)
    } is possible at target module "${narrow.name}" [${narrow.out}, ${narrow.in}]`;
  }
  if (tinit + tfinal >= steps) {
    return `tinit is ${tinit} and tfinal is ${tfinal}: together less than the run's steps, ${steps}, is needed`;
  }
  return null;
}

/** How many triplets of all target modules are chosen after a step; null where none are. */
function budgetAt(
  step: number,
  steps: number,
  targetModules: number,
  { targetRank, rank, tinit, tfinal, deltaT }: FamilyOptions,
): number | null {
  const first = rank * targetModules, last = targetRank * targetModules, end = steps - tfinal;
  if (step >= end) return last;
  if (step <= tinit || step % deltaT !== 0) return null;
  const left = 1 - (step - tinit) / (end - tinit);
  return Math.floor((first - last) * left ** 3 + last);
}

/**
 * A target module's update by formula. The penalty forms r x r products, 2 (m + n) r², and multiplies by them again; every number's
 * importance takes 10 FLOPs and reads it, its gradient, average and uncertainty, of which it writes the latter two.
 */
function updateWork(
  { rank, orthogonality }: FamilyOptions,
  targetModule: { readonly in: number; readonly out: number },
): RuleWork {
  const vectors = rank * (targetModule.in + targetModule.out), numbers = vectors + rank;
  const { flops, elements, state } = ADAMW_WORK;
  const penalized = orthogonality > 0;
  return {
    flops: (flops + 10) * numbers + (penalized ? 4 * vectors * rank : 0),
    // Both forming and multiplying read the vectors; gradients are copied.
    elements: (elements + 6) * numbers + (penalized ? 2 * vectors + 2 * numbers : 0),
    // Beside the moments average and uncertainty, and whether a triplet is dropped.
    state: (state + 2) * numbers + rank,
  };
}

/** Where it differs from LoRA's: see `tripletForm` and `rule`. */
function ownFootprint(options: AdaloraOptions, { targetModules, head }: ModelShapes): Partial<Footprint> {
  const { rank, orthogonality } = familyOf(options), count = targetModules.length;
  const q = targetModules.map((targetModule) => rank * targetModule.in),
    p = targetModules.map((targetModule) => rank * targetModule.out);
  const e = targetModules.map(() => rank), all = [...q, ...p, ...e];
  const isTall = hasTallProducts(rank), stride = isTall ? smallStride(rank) : rank;
  const penalty = orthogonality > 0 ? [[2 * count * rank * stride], [2 * count], all] : [];
  const tall = isTall ? sideTables(targetModules) : [];
  return {
    adapters: [q, p, e],
    trained: [...all, ...head],
    state: [...adamwState(all), all, all, e],
    tables: [[5 * count], q, [Math.max(...q)], [5 * count], ...tall, ...tall],
    scratch: [...penalty, [count * rank]],
  };
}

/** P and Q ~ N(0, 0.02²); Q is A, P is B. */
function initialize({ gpu, random }: Setup, factors: readonly Factors[]): void {
  for (const { name, value } of factors.flatMap(({ a, b }) => [a, b])) {
    gpu.write(value, random.fork(name).normal(value.shape[0]! * value.shape[1]!, 0.02));
  }
}

/** Where all triplets lie. Its table goes into the caller's scope. */
function tripletsOf({ gpu }: Setup, factors: readonly Factors[], added: readonly Parameter[]): Triplets {
  return new Triplets(gpu, factors.map(({ a, b }, i) => ({ q: a.value, p: b.value, e: added[i]!.value })));
}

/** W + s P diag(E) Q. */
function tripletForm(setup: Setup, factors: readonly Factors[], { rank }: FamilyOptions): WeightForm {
  const { gpu } = setup;
  const added = createE(setup, factors, rank);
  using _ = gpu.countAs("state");
  const triplets = tripletsOf(setup, factors, added);
  // diag(E) Q of every target module, made anew where E or Q may have changed.
  const { parts } = gpu.pack(
    factors.map(({ targetModule, a }) => ({ label: `${targetModule.name}.EA`, shape: a.value.shape })),
    "scaled factors",
  );
  const scaled = spanOf(parts, "scaled factors");
  // Its gradient at one target module: those of E and Q are taken from it at once.
  const most = Math.max(...factors.map(({ targetModule }) => rank * targetModule.in));
  const scaledGradient = gpu.empty([most], "gradient of a scaled factor");
  const places = new Map(factors.map((pair, i) => [pair, i]));
  const scaledOn = new WeakSet<Tape>();

  return {
    added,
    linear(tape, pair, x) {
      if (!scaledOn.has(tape)) {
        triplets.scaleRows(scaled);
        scaledOn.add(tape);
      }
      const i = places.get(pair)!;
      return tripletLinear(tape, x, tape.parameter(pair.targetModule.weight), {
        q: tape.parameter(pair.a),
        e: tape.parameter(added[i]!),
        p: tape.parameter(pair.b),
        scaled: parts[i]!,
        scaledGradient: { ...scaledGradient, shape: pair.a.value.shape },
        scale: pair.scale,
      });
    },
    effectiveWeight(pair) {
      const { targetModule, b, scale } = pair, i = places.get(pair)!, into = copyWeight(gpu, targetModule);
      triplets.scaleRows(scaled, { layer: i });
      return matmul(gpu, b.value, parts[i]!, { scale, into, accumulate: true });
    },
    equivalentGradient(pair, followed, gradients) {
      const { targetModule, b, scale } = pair, i = places.get(pair)!;
      const into = gpu.zeros([targetModule.out, targetModule.in], `${targetModule.name} equivalent gradient`);
      // s (P (diag(E) gQ + diag(gE) Q) + gP diag(E) Q).
      const { flat, e } = valuesOf(gradients, factors, added);
      const gradientE = { ...flat, offset: flat.offset + e * ELEMENT_BYTES, shape: triplets.flats.e.shape };
      triplets.scaleRows(scaled, { q: flat, layer: i });
      triplets.scaleRows(scaled, { e: gradientE, layer: i, accumulate: true });
      matmul(gpu, b.value, parts[i]!, { scale, into, accumulate: true });
      triplets.scaleRows(scaled, { layer: i });
      return matmul(gpu, followed.b!, parts[i]!, { scale, into, accumulate: true });
    },
    factors(pair) {
      const i = places.get(pair)!;
      triplets.scaleRows(scaled, { layer: i });
      return { ...pair, a: { name: parts[i]!.label, value: parts[i]! } };
    },
  };
}

/** E of every target module, zero: one pack. */
function createE({ gpu }: Setup, factors: readonly Factors[], rank: number): readonly Parameter[] {
  using _ = gpu.countAs("adapters");
  const entries = factors.map(({ targetModule }) => ({ label: `${targetModule.name}.E`, shape: [rank] }));
  return gpu.pack(entries, "factors E").parts.map((value) => ({ name: value.label, value }));
}

/** One target module's triplets on a tape. */
interface TripletVars {
  /** `[rank, in]`. */
  readonly q: Var;
  /** `[rank]`. */
  readonly e: Var;
  /** `[out, rank]`. */
  readonly p: Var;
  /** diag(E) Q. */
  readonly scaled: Tensor;
  /** Room for its gradient while backward is at this target module. */
  readonly scaledGradient: Tensor;
  /** s. */
  readonly scale: number;
}

/** x Wᵀ + s (x (diag(E) Q)ᵀ) Pᵀ with a frozen W: `adaptedLinear`, whose A is made of E and Q. */
function tripletLinear(
  tape: Tape,
  x: Var,
  weight: Var | LowPrecisionWeight,
  { q, e, p, scaled, scaledGradient, scale }: TripletVars,
): Var {
  const { gpu } = tape;
  const inner = matmul(gpu, x.value, scaled, { transposeB: true });
  return tape.record({
    name: "triplet linear",
    overwritable: true,
    inputs: [x, q, e, p],
    keeps: { x: x.value, inner, q: q.value, e: e.value, p: p.value },
    output: matmul(gpu, x.value, weight.value, {
      transposeB: true,
      epilogue: { a: inner, b: p.value, scale },
    }),
    backward(gradient, inputs, { x, inner, q, e, p }) {
      const dInner = matmul(gpu, gradient, p, { scale });
      if (inputs.wanted(0)) {
        const epilogue = { a: dInner, b: scaled, scale: 1 };
        matmul(gpu, gradient, weight.value, { epilogue, ...inputs.target(0) });
      }
      // Where a step trains anything of the triplets, it trains all.
      if (!inputs.wanted(1)) return;
      matmul(gpu, dInner, x, { transposeA: true, into: scaledGradient });
      scaledRowsBackward(gpu, { q, e, gradient: scaledGradient }, {
        q: inputs.target(1).into,
        e: inputs.target(2).into,
      });
      matmul(gpu, gradient, inner, { transposeA: true, scale, ...inputs.target(3) });
    },
  });
}

/** AdamW on penalized gradients, then the choice of triplets. */
function rule(
  setup: Setup,
  factors: readonly Factors[],
  options: FamilyOptions,
  added: readonly Parameter[],
): Rule {
  const { gpu, steps } = setup, { orthogonality, tfinal, importanceBeta, uncertaintyBeta } = options;
  const triplets = tripletsOf(setup, factors, added);
  const parameters = [...factors.map(({ a }) => a), ...factors.map(({ b }) => b), ...added];
  const adamw = createAdamw(gpu, parameters, options);
  const like = (kind: string, parameters: readonly Parameter[]) =>
    gpu.pack(parameters.map(({ name, value }) => ({ label: `${name}.${kind}`, shape: value.shape })), kind)
      .parts;
  const averages = like("importance", parameters), uncertainties = like("uncertainty", parameters);
  const dropped = like("dropped", added);
  const average = spanOf(averages, "importance"), uncertainty = spanOf(uncertainties, "uncertainty");
  const isDropped = spanOf(dropped, "dropped");
  const betas = { average: importanceBeta, uncertainty: uncertaintyBeta };

  return {
    state: [
      ...adamw.state,
      ...[...averages, ...uncertainties, ...dropped].map((value) => ({ name: value.label, value })),
    ],
    hostState: noHostState,
    adjust: (gradients): FollowedGradients[] =>
      factors.map(({ a, b }) => ({ a: gradients.of(a), b: gradients.of(b) })),
    step(gradients, at) {
      const raw = valuesOf(gradients, factors, added);
      // The mean over all P and Q of |M|, whose gradient is 2 P M / |M|.
      const weight = 2 * orthogonality / (2 * factors.length);
      const total = orthogonality > 0 ? triplets.addPenalty(raw, triplets.orthogonality(weight).grams) : raw;
      adamw.step({ of: (parameter) => partOf(total, gradients.of(parameter), raw) }, at);
      const counted = at.step - 1 + options.firstStep, learns = counted < steps - tfinal;
      const budget = budgetAt(counted, steps, factors.length, options);
      if (!learns && budget === null) return;
      const scores = triplets.score(total, average, uncertainty, learns ? betas : null);
      if (budget !== null) triplets.drop(scores, budget, isDropped);
    },
    async inspect() {
      using _ = gpu.scope("inspect", "scratch");
      const { distances } = triplets.orthogonality(0);
      const [lengths, ...masks] = await gpu.downloadAll([distances, ...dropped]);
      const mean = lengths!.reduce((sum, length) => sum + length, 0) / lengths!.length;
      return {
        orthogonality: orthogonality * mean,
        ...Object.fromEntries(
          factors.map(({ targetModule }, i) => [
            `rank/${targetModule.name}`,
            masks[i]!.reduce((rank, dropped) => rank - dropped, options.rank),
          ]),
        ),
      };
    },
  };
}

/** The gradients of all triplets as they lie in `gradients`. @throws {Error} where they are not laid out as the triplets */
function valuesOf(
  gradients: Gradients,
  factors: readonly Factors[],
  added: readonly Parameter[],
): TripletValues {
  const kinds = [factors.map(({ a }) => a), factors.map(({ b }) => b), added];
  const { flat, starts: [, p, e] } = batchGradients(gradients, kinds, "gradients of triplets");
  return { flat, p: p!, e: e! };
}

/** One parameter's gradient in `total`: it lies there where `gradient` lies in `raw`. */
function partOf(total: TripletValues, gradient: Tensor, raw: TripletValues): Tensor {
  const { flat } = total;
  return { ...flat, offset: flat.offset + gradient.offset - raw.flat.offset, shape: gradient.shape };
}
