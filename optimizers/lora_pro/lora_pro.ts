/** @file LoRA-Pro: factor gradients adjusted so that the equivalent gradient comes as near as possible to the full one. */
import type { Gradients, Parameter } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import {
  GRAM_SCHMIDT_RANK,
  groupFactors,
  MAX_RANK,
  sgdUpdate,
  svdScratchSizes,
  warmStartSizes,
} from "../../kernels/mod.ts";
import { ADAMW_WORK, adamwState, createAdamw } from "../adamw.ts";
import { batchGradients } from "../batched_gradients.ts";
import { largerOf, leftVectorFlops, sideTables, smallSizes, svdFlops } from "../factor_sides.ts";
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  type Rule,
  type RuleWork,
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
import { FactorPairs } from "./factor_pairs.ts";
import { jobsOf } from "./jobs.ts";
import type { Coordinates, Damping, FactorGradients, FactorPair, Gauge } from "./pair.ts";

const MODES = ["full", "efficient", "sgd"] as const;
const GAUGES = ["sylvester", "zero", "symmetric"] as const;

/** Settings of LoRA-Pro. */
export type LoraProOptions = LowRankOptions & {
  /** "full", "efficient" or "sgd". */
  mode: string;
  /** X: "sylvester", "zero" or "symmetric". */
  gauge: string;
  /** Times the mean diagonal of a Gram matrix, added to its diagonal. */
  relativeDamping: number;
  /** Added to the diagonals of Gram matrices. */
  absoluteDamping: number;
  /** Largest |dA| / |A| of a step; 0 sets no limit. */
  cap: number;
};
const defaults: LoraProOptions = {
  ...lowRankDefaults,
  mode: "full",
  gauge: "sylvester",
  relativeDamping: 1e-6,
  absoluteDamping: 0,
  cap: 0,
};

/**
 * LoRA-Pro. With s = alpha/r, dA and dB the raw gradients and P the projector on B's columns:
 *
 *     gA = (1/s²) (BᵀB)⁻¹ dA + X A,    gB = (1/s²) (I − P) dB (AAᵀ)⁻¹ − B X        (theorem 2.1)
 *
 * Option `mode`: "full" (default; algorithm 2) keeps Adam's moments of the equivalent gradient s (B gA + gB A), of
 * W's size, and projects Adam's direction back by the same closed form; "efficient" keeps moments of gA and gB, of the
 * factors' size; "sgd" (algorithm 1) follows gA and gB themselves. `gauge` chooses X: "sylvester" (default; theorem
 * 2.3, closest to LoRA's own gradients), "zero", or "symmetric", X = −(1/2s²) (BᵀB)⁻¹ dA Aᵀ (AAᵀ)⁻¹, which shares the
 * overlap equally (published code multiplies by AAᵀ there, which is another method under this name).
 *
 * Gram matrices get `relativeDamping` times their mean diagonal, and `absoluteDamping`, added to their diagonals. An
 * absolute one biases the equivalent gradient while B is small; a relative one does not. Directions in which a factor
 * vanishes are left out (a pseudo-inverse), so that B = 0 gives gA = 0 whenever it occurs. Undamped, I − P is 0 by value
 * where B's rank is the number of its rows: B then stays as it is where X is 0. After a start at B = 0 the
 * second step moves A by the order of its norm whatever the learning rate, and by far more where the gradient has fewer ranks
 * than the factors: docs/results.md. `cap` limits |dA| / |A| of a step.
 * `weightDecay` shrinks both factors, in full mode by √(1 − rate · decay) each, so that s B A shrinks as under AdamW, in
 * the other modes by 1 − rate · decay each; W stays as it is.
 * The learning rate has the meaning that it has in full fine-tuning.
 *
 * Source: Wang et al., arXiv 2407.18242.
 */
export const loraPro: OptimizerModule<LoraProOptions> = defineOptimizer({
  id: "lora-pro",
  title: "LoRA-Pro",
  source: "https://arxiv.org/abs/2407.18242",
  paper: {
    title: "LoRA-Pro: Are Low-Rank Adapters Properly Optimized?",
    authors: ["Zhengbo Wang", "Jian Liang", "Ran He", "Zilei Wang", "Tieniu Tan"],
    year: 2024,
  },
  defaults,
  validate(options, targetModules) {
    const { mode, gauge, relativeDamping, absoluteDamping, cap } = options;
    if (!MODES.some((known) => known === mode)) return `mode is "${mode}", known are ${MODES.join(", ")}`;
    if (!GAUGES.some((known) => known === gauge)) {
      return `gauge is "${gauge}", known are ${GAUGES.join(", ")}`;
    }
    if (cap > 0 && mode === "efficient") {
      return `cap is ${cap} in mode "efficient", whose steps Adam bounds: 0 is needed`;
    }
    for (const [name, value] of Object.entries({ relativeDamping, absoluteDamping, cap })) {
      if (!(value >= 0 && Number.isFinite(value))) return `${name} is ${value}, 0 or more is needed`;
    }
    return validateLowRank(
      options,
      targetModules,
      (targetModule) => Math.min(targetModule.in, targetModule.out, MAX_RANK),
    );
  },
  describe: ({ mode, gauge, scaling, cap }) =>
    [scaling, mode, ...gauge === "sylvester" ? [] : [`X ${gauge}`], ...cap > 0 ? [`cap ${cap}`] : []].join(
      ", ",
    ),
  stepWork: (options, sizes) =>
    lowRankWork(options, sizes, (targetModule) => ruleWork(options, targetModule)),
  footprint: (options, model) => lowRankFootprint(options, model, ruleFootprint(options, model)),
  takesLoftq: true,
  attach: (setup, options) => attachLowRank(setup, options, { rule: loraProRule }),
});

/**
 * A target module's update by formula, m = out and n = in. Thin SVDs of both factors with left vectors. Turning gradients
 * into the singular vectors' bases and back, 4 (m + n) r²; each closed form, 6 (m + n) r²; above rank 12 these are 5 and 2.
 * Mode "full" needs two closed forms, and 8 m n r for the equivalent gradient and the projection of Adam's direction, whose
 * moments it reads and writes, and reads for each factor.
 */
function ruleWork(
  { mode, rank }: LoraProOptions,
  targetModule: { readonly in: number; readonly out: number },
): RuleWork {
  const whole = targetModule.in * targetModule.out, factors = rank * (targetModule.in + targetModule.out);
  const { flops, elements, state } = ADAMW_WORK;
  const closedForms = mode === "full" ? 2 : 1;
  const svds = [targetModule.in, targetModule.out].map((rows) =>
    svdFlops(rank, rows, true) + leftVectorFlops(rank, rows)
  );
  const products = rank > GRAM_SCHMIDT_RANK ? 5 + 2 * closedForms : 4 + 6 * closedForms;
  const small = products * factors * rank + total(svds);
  if (mode === "full") {
    return {
      flops: small + 8 * whole * rank + 2 * flops * whole,
      elements: 8 * whole + 20 * factors,
      state: 2 * whole,
    };
  }
  return mode === "efficient"
    ? {
      flops: small + flops * factors,
      elements: (14 + elements) * factors,
      state: state * factors,
    }
    : { flops: small + 2 * factors, elements: (14 + 3) * factors, state: 0 };
}

/**
 * What the rule keeps, by formula: in mode "full" moments of each weight's size, in "efficient" of the factors'; above
 * rank 12 where the next decompositions begin, r x r matrices; and tables of where the factors lie. A step makes small
 * matrices of every target module and, as large as all factors, singular vectors, coordinates of gradients (twice in mode
 * "full" at ranks to 12) and adjusted ones; or first, and freed again, the bases of one decomposition at a time.
 */
function ruleFootprint(
  { mode, rank }: LoraProOptions,
  { targetModules }: ModelShapes,
): Pick<Footprint, "state" | "tables" | "scratch"> {
  const a = targetModules.map((targetModule) => rank * targetModule.in),
    b = targetModules.map((targetModule) => rank * targetModule.out);
  const whole = targetModules.map((targetModule) => targetModule.in * targetModule.out);
  const times = (count: number) => Array.from({ length: count }, () => [a, b]).flat();
  // Rows and columns of small matrices are whole vectors of four.
  const stride = 4 * Math.ceil(rank / 4), small = [targetModules.length * (6 * rank + 4) * stride];
  const rows = total(a) > total(b) ? a : b;
  const bases = svdScratchSizes(rank, rows.map((count) => count / rank), true, rows);
  const isWide = rank > GRAM_SCHMIDT_RANK, square = smallSizes(targetModules, rank);
  const decomposing = [small, ...times(1), ...bases];
  const adjusting = isWide
    ? [small, ...times(3), square, square, square]
    : [small, ...times(mode === "full" ? 4 : 3)];
  const sizes = targetModules.map((targetModule) => ({ rows: targetModule.out, columns: targetModule.in }));
  const moments = mode === "full" ? whole : mode === "efficient" ? [...a, ...b] : null;
  const warm = warmStartSizes(rank, targetModules.length);
  return {
    state: [...moments ? adamwState(moments) : [], ...warm.state, ...warm.state],
    tables: [
      [6 * targetModules.length + jobsOf(sizes).jobs.length],
      ...sideTables(targetModules),
      ...isWide ? [[targetModules.length]] : [],
      ...warm.tables,
      ...warm.tables,
    ],
    scratch: largerOf(decomposing, adjusting),
  };
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, count) => sum + count, 0);
}

/** LoRA-Pro's rule for given factors, whatever their start: exported for methods that combine it with another start. */
export function loraProRule({ gpu }: Setup, factors: readonly Factors[], options: LoraProOptions): Rule {
  const gauge = options.gauge as Gauge;
  const damping: Damping = { relative: options.relativeDamping, absolute: options.absoluteDamping };
  const m = options.mode === "full" ? weightMoments(gpu, factors, "m") : [];
  const v = options.mode === "full" ? weightMoments(gpu, factors, "v") : [];
  const adamw = options.mode === "efficient"
    ? createAdamw(gpu, [...factors.map(({ a }) => a), ...factors.map(({ b }) => b)], options)
    : null;
  const moments = [...m, ...v].map((value): Parameter => ({ name: value.label, value }));

  const pairs = factors.map(({ a, b, scale }, i): FactorPair => ({
    a: a.value,
    b: b.value,
    scale,
    ...m.length > 0 ? { m: m[i]!, v: v[i]! } : {},
  }));
  const batches = groupFactors(pairs).map((indices) => {
    const own = new FactorPairs(gpu, indices.map((i) => pairs[i]!));
    return { pairs: own, factors: indices.map((i) => factors[i]!), warm: own.createWarmStarts() };
  });
  const bases = batches.flatMap(({ warm }) => warm ? [warm.a.bases.flat, warm.b.bases.flat] : [])
    .map((value): Parameter => ({ name: value.label, value }));

  return {
    state: [...moments, ...bases, ...adamw?.state ?? []],
    hostState: noHostState,
    adjust(gradients) {
      const out = new Map<Factors, { readonly a: Tensor; readonly b: Tensor }>();
      for (const { pairs, factors } of batches) {
        // What is looked at must not change what is trained.
        const decomposition = pairs.decompose(), raw = gradientsOf(factors, gradients);
        const coordinates = pairs.adjustGradients(decomposition, raw, "zero", damping);
        const { a, b } = pairs.fromCoordinates(decomposition, coordinates);
        for (const pair of factors) {
          out.set(pair, { a: partOf(a, pair.a, pairs.flats.a), b: partOf(b, pair.b, pairs.flats.b) });
        }
      }
      return factors.map((pair) => out.get(pair)!);
    },
    step(gradients, { step, learningRate }) {
      const { beta1, beta2, epsilon, cap, mode, weightDecay } = options;
      const followed = new Map<Parameter, Tensor>();
      for (const { pairs, factors, warm } of batches) {
        const decomposition = pairs.decompose(warm, step), raw = gradientsOf(factors, gradients);
        let coordinates: Coordinates;
        if (mode === "full") {
          pairs.updateMoments(decomposition, raw, damping, beta1, beta2);
          const direction = {
            correction1: 1 / (1 - beta1 ** step),
            correction2: 1 / (1 - beta2 ** step),
            epsilon,
          };
          coordinates = pairs.adjustDirection(decomposition, direction, gauge, damping);
        } else {
          coordinates = pairs.adjustGradients(decomposition, raw, gauge, damping);
        }
        const adjusted = pairs.fromCoordinates(decomposition, coordinates);
        if (adamw) {
          for (const { a, b } of factors) {
            followed.set(a, partOf(adjusted.a, a, pairs.flats.a)).set(
              b,
              partOf(adjusted.b, b, pairs.flats.b),
            );
          }
        } else {
          if (cap > 0) pairs.capSteps(adjusted, learningRate, cap);
          const decay = 1 - learningRate * weightDecay, keep = mode === "full" ? Math.sqrt(decay) : decay;
          sgdUpdate(gpu, pairs.flats.a, adjusted.a, learningRate, keep);
          sgdUpdate(gpu, pairs.flats.b, adjusted.b, learningRate, keep);
        }
      }
      adamw?.step({ of: (parameter) => followed.get(parameter)! }, { step, learningRate });
    },
  };
}

/** Where the gradients of some factors lie. @throws {Error} where they are not laid out as the factors are */
function gradientsOf(factors: readonly Factors[], gradients: Gradients): FactorGradients {
  const a = factors.map((pair) => pair.a), b = factors.map((pair) => pair.b);
  const { flat, starts } = batchGradients(gradients, [a, b], "factor gradients");
  return { flat, a: starts[0]!, b: starts[1]! };
}

function weightMoments(gpu: Gpu, factors: readonly Factors[], kind: string): readonly Tensor[] {
  const entries = factors.map(({ targetModule }) => ({
    label: `${targetModule.name}.${kind}`,
    shape: [targetModule.out, targetModule.in],
  }));
  return gpu.pack(entries, `moments ${kind}`).parts;
}

/** The adjusted gradient of one factor: it lies in `adjusted` where the factor lies in `flat`. */
function partOf(adjusted: Tensor, { name, value }: Parameter, flat: Tensor): Tensor {
  return { ...adjusted, offset: value.offset - flat.offset, shape: value.shape, label: `adjusted d ${name}` };
}
