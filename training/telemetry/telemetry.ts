/** @file How a method's step compares with the full gradient, and where its steps have led, target module by target module. */
import type { Gradients } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import {
  add,
  type Comparison,
  type Comparisons,
  createComparisons,
  groupFactors,
  matmul,
  tallFactors,
  thinSvds,
} from "../../kernels/mod.ts";
import type { TargetModule } from "../../models/model.ts";
import { effectiveRank } from "../../numerics/effective_rank.ts";
import { singularValuesOnHost } from "../../numerics/svd.ts";
import type { Optimizer } from "../../optimizers/optimizer.ts";
import type { Discrepancy } from "../run.ts";

/** A measurement of one step; its tensors live in the scope that it was begun in. */
export interface Measurement {
  /** After the method's step: compares, waits for the GPU, returns what is finite. */
  finish(step: number): Promise<Discrepancy[]>;
}

/** W_eff of target modules at the start of a run. On the host, so that a run takes the GPU's memory as it would without. */
export type StartWeights = ReadonlyMap<TargetModule, Float32Array>;

/** Comparisons at a target module at most. */
const COMPARISONS = 7;
/** The rounding of W_eff to 32-bit floats is less than this share of ‖W_eff‖: a few halves of a unit in the last place. */
export const ROUNDING = 2 ** -22;
/** W_eff moves as s B A does where the two moves differ by less than this share, beside rounding. */
const SAME_MOVE = 1e-2;
/** Where both sides of a map are longer, its decomposition takes the host many seconds. */
const MOST_DECOMPOSED = 1024;

/**
 * Takes what is needed before the method's step, from raw gradients (before clipping) at the current weights.
 *
 * @param starts where absent, accumulated changes have no effective rank
 */
export function beginMeasurement(
  gpu: Gpu,
  optimizer: Optimizer,
  full: ReadonlyMap<TargetModule, Tensor>,
  gradients: Gradients,
  starts: StartWeights = new Map(),
): Measurement {
  const comparisons = createComparisons(gpu, COMPARISONS * full.size);
  const equivalents = optimizer.equivalentGradients(gradients);
  const beyond = beyondReach(gpu, optimizer, full);
  const targetModules = [...full].map(([targetModule, gradient]) => {
    const rest = beyond.get(targetModule);
    return {
      targetModule,
      gradient,
      // For full fine-tuning the effective weight is the weight itself, which the step will change.
      before: copy(gpu, optimizer.effectiveWeight(targetModule)),
      product: productOf(gpu, optimizer, targetModule),
      equivalent: comparisons.add(equivalents.get(targetModule)!, gradient),
      rest: rest ? comparisons.add(rest, rest) : null,
    };
  });
  return {
    async finish(step) {
      const after = new Map(
        targetModules.map(({ targetModule }) => [targetModule, optimizer.effectiveWeight(targetModule)]),
      );
      const moves = targetModules.map(({ targetModule, gradient, before, product }) => {
        using _ = gpu.scope("move");
        const move = add(gpu, before, after.get(targetModule)!, 1, -1);
        const now = productOf(gpu, optimizer, targetModule);
        return {
          place: comparisons.add(move, gradient),
          secondOrder: product && now
            ? compareOrders(gpu, comparisons, product, now, { before, move })
            : () => null,
          a: product && now ? comparisons.add(now.scaledA, product.scaledA) : null,
        };
      });
      const found = await comparisons.read();
      const ranks = await effectiveRanks(gpu, after, starts);
      return targetModules.flatMap(({ targetModule, equivalent: place, rest }, i): Discrepancy[] => {
        const equivalent = found[place]!, move = found[moves[i]!.place]!, { a } = moves[i]!;
        const norm = Math.sqrt(equivalent.yy);
        const discrepancy = {
          step,
          targetModule: targetModule.name,
          gradientError: Math.sqrt(equivalent.distance) / norm,
          lowerBound: rest === null ? null : Math.sqrt(found[rest]!.xx) / norm,
          gradientCosine: equivalent.xy / (norm * Math.sqrt(equivalent.xx)),
          updateCosine: move.xy / (norm * Math.sqrt(move.xx)),
          secondOrderShare: moves[i]!.secondOrder(found),
          moveOfA: a === null || found[a]!.yy === 0 ? null : Math.sqrt(found[a]!.distance / found[a]!.yy),
          effectiveRank: ranks.get(targetModule) ?? null,
        };
        return Object.values(discrepancy).every((value) =>
            typeof value !== "number" || Number.isFinite(value)
          )
          ? [discrepancy]
          : [];
      });
    },
  };
}

/** Reads W_eff of target modules. Waits for the GPU. */
export async function readWeights(
  gpu: Gpu,
  targetModules: readonly TargetModule[],
  weightOf: (targetModule: TargetModule) => Tensor,
): Promise<StartWeights> {
  using _ = gpu.scope("start weights");
  const weights = await gpu.downloadAll(targetModules.map(weightOf));
  return new Map(targetModules.map((targetModule, i) => [targetModule, weights[i]!]));
}

/** s A and B, copied. */
interface Product {
  readonly scaledA: Tensor;
  readonly b: Tensor;
}

function productOf(gpu: Gpu, optimizer: Optimizer, targetModule: TargetModule): Product | null {
  const factors = optimizer.factors(targetModule);
  return factors && {
    scaledA: add(gpu, factors.a.value, factors.a.value, factors.scale, 0),
    b: copy(gpu, factors.b.value),
  };
}

/**
 * Compares the two orders of the move s B A → s' B' A', B d(s A) + dB s A and dB d(s A), with each other and with W_eff's
 * own move. Returns how to read ‖second‖ / ‖first‖ from what was found; null where W_eff moved in another way, as it does
 * where it depends on more than its pair, or not at all.
 */
function compareOrders(
  gpu: Gpu,
  comparisons: Comparisons,
  was: Product,
  is: Product,
  weight: { readonly before: Tensor; readonly move: Tensor },
): (found: readonly Comparison[]) => number | null {
  const dA = add(gpu, is.scaledA, was.scaledA, 1, -1), dB = add(gpu, is.b, was.b, 1, -1);
  const second = matmul(gpu, dB, dA);
  const first = matmul(gpu, was.b, dA);
  matmul(gpu, dB, was.scaledA, { into: first, accumulate: true });
  const orders = comparisons.add(second, first);
  // The move is taken from before to after with the other sign.
  const moves = comparisons.add(add(gpu, first, second, -1, -1), weight.move);
  const size = comparisons.add(weight.before, weight.before);
  return (found) => {
    const { xx, yy } = found[orders]!, move = found[moves]!;
    const tolerance = SAME_MOVE * Math.sqrt(move.yy) + ROUNDING * Math.sqrt(found[size]!.xx);
    const share = Math.sqrt(xx / yy);
    return Math.sqrt(move.distance) <= tolerance && Number.isFinite(share) ? share : null;
  };
}

/** Effective rank of each target module's change since the start of the run, where there is one. Waits for the GPU. */
async function effectiveRanks(
  gpu: Gpu,
  weights: ReadonlyMap<TargetModule, Tensor>,
  starts: StartWeights,
): Promise<ReadonlyMap<TargetModule, number | null>> {
  const targetModules = [...weights.keys()].filter((targetModule) =>
    starts.has(targetModule) && Math.min(targetModule.in, targetModule.out) <= MOST_DECOMPOSED
  );
  const now = await gpu.downloadAll(targetModules.map((targetModule) => weights.get(targetModule)!));
  return new Map(
    targetModules.map((
      targetModule,
      i,
    ) => [targetModule, changeRank(targetModule, starts.get(targetModule)!, now[i]!)]),
  );
}

function changeRank(targetModule: TargetModule, start: Float32Array, now: Float32Array): number | null {
  const change = Float64Array.from(now, (value, i) => value - start[i]!);
  if (!change.every(Number.isFinite)) return null;
  const values = singularValuesOnHost({ rows: targetModule.out, columns: targetModule.in, data: change });
  // Rounding moves singular values by no more than its own norm (Weyl).
  const size = Math.sqrt(start.reduce((sum, value) => sum + value * value, 0));
  return effectiveRank(values, ROUNDING * size);
}

function copy(gpu: Gpu, x: Tensor): Tensor {
  const out = gpu.empty(x.shape, `${x.label} copy`);
  gpu.copy(x, out);
  return out;
}

/** (I − P_B) G (I − P_A) of each target module with factors: the part of the gradient that no change of them can follow. */
function beyondReach(
  gpu: Gpu,
  optimizer: Optimizer,
  full: ReadonlyMap<TargetModule, Tensor>,
): ReadonlyMap<TargetModule, Tensor> {
  const factored = [...full].flatMap(([targetModule, gradient]) => {
    const factors = optimizer.factors(targetModule);
    return factors ? [{ targetModule, gradient, pair: { a: factors.a.value, b: factors.b.value } }] : [];
  });
  const out = new Map<TargetModule, Tensor>();
  for (const group of groupFactors(factored.map(({ pair }) => pair))) {
    const a = tallFactors(gpu, group.map((i) => factored[i]!.pair.a), "A");
    const b = tallFactors(gpu, group.map((i) => factored[i]!.pair.b), "B");
    const left = { a: thinSvds(gpu, a).left.flat, b: thinSvds(gpu, b).left.flat };
    for (const i of group) {
      const { targetModule, gradient, pair } = factored[i]!;
      const columns = { ...left.b, offset: pair.b.offset - b.flat.offset, shape: pair.b.shape };
      const rows = { ...left.a, offset: pair.a.offset - a.flat.offset, shape: pair.a.shape };
      const rest = gpu.empty(gradient.shape, `${targetModule.name} beyond reach`);
      gpu.copy(gradient, rest);
      const inColumns = matmul(gpu, columns, gradient, { transposeA: true, reuse: true });
      matmul(gpu, columns, inColumns, { scale: -1, into: rest, accumulate: true, reuse: true });
      const inRows = matmul(gpu, rest, rows, { transposeB: true, reuse: true });
      out.set(
        targetModule,
        matmul(gpu, inRows, rows, { scale: -1, into: rest, accumulate: true, reuse: true }),
      );
    }
  }
  return out;
}
