/**
 * @file AdaLoRA in float64, for W = W0 + scale · P diag(e) Q, restated from PEFT's AdaLoraModel and RankAllocator.
 *
 * Source: Zhang et al., arXiv 2303.10512. `update_and_allocate` is called with t = 1 after the first step. Two runs of
 * twelve steps with PEFT's own RankAllocator and PyTorch's AdamW, in float64, were met to 3e-16, with the same masks.
 */
import {
  add,
  identity,
  type Matrix,
  multiply,
  norm,
  scale as times,
  subtract,
  zeros,
  zip,
} from "./matrix.ts";
import { type AdamMoments, adamwStep } from "./network.ts";

/** A target module's triplets. */
export interface Triplets {
  /** `[out, rank]` */
  readonly p: Matrix;
  /** `[1, rank]` */
  readonly e: Matrix;
  /** `[rank, in]` */
  readonly q: Matrix;
}

/** Settings of a run; `rank` is the mean rank that is kept at the end. */
export interface AdaloraOptions {
  readonly rank: number;
  readonly tinit: number;
  readonly tfinal: number;
  readonly deltaT: number;
  readonly steps: number;
  readonly orthogonality: number;
  readonly betas: readonly [number, number];
  readonly learningRate: number;
  readonly weightDecay?: number;
  /** What the schedule calls the first step; 1 where absent. */
  readonly firstStep?: number;
}

/** All target modules after a step. */
export interface AdaloraState {
  readonly step: number;
  readonly targetModules: readonly Triplets[];
  readonly moments: readonly Readonly<Record<keyof Triplets, AdamMoments | undefined>>[];
  readonly averages: readonly Triplets[];
  readonly uncertainties: readonly Triplets[];
  /** Which triplets of each target module the latest choice kept. */
  readonly kept: readonly (readonly boolean[])[];
}

const KINDS = ["p", "e", "q"] as const;

/** A run that begins with these triplets. */
export function adaloraStart(targetModules: readonly Triplets[]): AdaloraState {
  const nothing = targetModules.map(({ p, e, q }) => ({
    p: zeros(p.rows, p.columns),
    e: zeros(e.rows, e.columns),
    q: zeros(q.rows, q.columns),
  }));
  return {
    step: 0,
    targetModules,
    moments: targetModules.map(() => ({ p: undefined, e: undefined, q: undefined })),
    averages: nothing,
    uncertainties: nothing,
    kept: targetModules.map(({ e }) => Array.from(e.data, () => true)),
  };
}

/** diag(e) Q. */
export function scaledRows({ e, q }: Pick<Triplets, "e" | "q">): Matrix {
  return { ...q, data: q.data.map((value, i) => value * e.data[Math.floor(i / q.columns)]!) };
}

/** Gradients of a target module's triplets for dL/dW = g. */
export function tripletGradients(g: Matrix, { p, e, q }: Triplets, scale: number): Triplets {
  const gq = multiply(g, q, { transposeB: true }), pg = multiply(p, g, { transposeA: true });
  return {
    p: times({ ...gq, data: gq.data.map((value, i) => value * e.data[i % e.columns]!) }, scale),
    e: zip(e, { ...e, data: e.data.map((_, i) => along(pg, q, i)) }, (_, d) => scale * d),
    q: times(scaledRows({ e, q: pg }), scale),
  };
}

/** The dot product of two matrices' rows i. */
function along(x: Matrix, y: Matrix, i: number): number {
  let sum = 0;
  for (let j = 0; j < x.columns; j++) sum += x.data[i * x.columns + j]! * y.data[i * y.columns + j]!;
  return sum;
}

/** The mean over all P and Q of |PᵀP − 1| and |QQᵀ − 1|. */
export function distanceFromOrthonormal(targetModules: readonly Triplets[]): number {
  const lengths = targetModules.flatMap(({ p, q }) => [norm(gram(p, "columns")), norm(gram(q, "rows"))]);
  return lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
}

function gram(m: Matrix, of: "rows" | "columns"): Matrix {
  const product = multiply(m, m, of === "rows" ? { transposeB: true } : { transposeA: true });
  return subtract(product, identity(product.rows));
}

/** How many triplets are kept after step t, or null where none are chosen. */
export function budgetAt(
  t: number,
  options: AdaloraOptions,
  first: number,
  targetModules: number,
): number | null {
  const { rank, tinit, tfinal, deltaT, steps } = options, end = steps - tfinal;
  if (t >= end) return rank * targetModules;
  if (t <= tinit || t % deltaT !== 0) return null;
  const share = 1 - (t - tinit) / (end - tinit);
  return Math.trunc((first - rank) * targetModules * share ** 3 + rank * targetModules);
}

/** One step from the gradients of the loss. */
export function adaloraStep(
  state: AdaloraState,
  gradients: readonly Triplets[],
  options: AdaloraOptions,
): AdaloraState {
  const { orthogonality, betas: [beta1, beta2], tfinal, steps } = options;
  const step = state.step + 1, counted = state.step + (options.firstStep ?? 1);
  const count = 2 * state.targetModules.length;
  const total = state.targetModules.map(({ p, q }, i): Triplets => {
    const mp = gram(p, "columns"), mq = gram(q, "rows"), { p: gp, e, q: gq } = gradients[i]!;
    const factor = (m: Matrix) => norm(m) === 0 ? 0 : 2 * orthogonality / count / norm(m);
    return { p: add(gp, multiply(p, mp), factor(mp)), e, q: add(gq, multiply(mq, q), factor(mq)) };
  });
  const moved = state.targetModules.map((targetModule, i) => {
    const next = KINDS.map((kind) =>
      adamwStep(targetModule[kind], total[i]![kind], state.moments[i]![kind], options)
    );
    return {
      targetModule: { p: next[0]!.parameter, e: next[1]!.parameter, q: next[2]!.parameter },
      moments: { p: next[0]!.moments, e: next[1]!.moments, q: next[2]!.moments },
    };
  });
  let { averages, uncertainties, kept } = state;
  if (counted < steps - tfinal) {
    const importances = moved.map(({ targetModule }, i) =>
      both(targetModule, total[i]!, (w, g) => Math.abs(w * g))
    );
    averages = averages.map((average, i) =>
      both(average, importances[i]!, (mean, now) => beta1 * mean + (1 - beta1) * now)
    );
    const apart = averages.map((average, i) =>
      both(importances[i]!, average, (now, mean) => Math.abs(now - mean))
    );
    uncertainties = uncertainties.map((spread, i) =>
      both(spread, apart[i]!, (mean, now) => beta2 * mean + (1 - beta2) * now)
    );
  }
  let targetModules = moved.map(({ targetModule }) => targetModule);
  const rank = state.targetModules[0]!.e.columns,
    budget = budgetAt(counted, options, rank, targetModules.length);
  if (budget !== null) {
    const scores = averages.flatMap((average, i) =>
      scoresOf(both(average, uncertainties[i]!, (x, y) => x * y))
    );
    const order = scores.map((score, i) => ({ score, i })).sort((x, y) => y.score - x.score || x.i - y.i);
    const best = new Set(order.slice(0, budget).map(({ i }) => i));
    kept = targetModules.map((_, i) => Array.from({ length: rank }, (_, k) => best.has(i * rank + k)));
    targetModules = targetModules.map((targetModule, i) => ({
      ...targetModule,
      e: { ...targetModule.e, data: targetModule.e.data.map((value, k) => kept[i]![k] ? value : 0) },
    }));
  }
  return { step, targetModules, moments: moved.map(({ moments }) => moments), averages, uncertainties, kept };
}

function both(x: Triplets, y: Triplets, f: (x: number, y: number) => number): Triplets {
  return { p: zip(x.p, y.p, f), e: zip(x.e, y.e, f), q: zip(x.q, y.q, f) };
}

/** E's score of each triplet plus the means of its vectors' scores. */
function scoresOf({ p, e, q }: Triplets): number[] {
  return Array.from(e.data, (own, k) => {
    let left = 0, right = 0;
    for (let i = 0; i < p.rows; i++) left += p.data[i * p.columns + k]!;
    for (let j = 0; j < q.columns; j++) right += q.data[k * q.columns + j]!;
    return own + left / p.rows + right / q.columns;
  });
}
