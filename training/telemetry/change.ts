/** @file What a whole run did to each weight: how far it moved, in which directions, and which of them the base has not. */
import type { TargetModule } from "../../models/model.ts";
import { type HostMatrix, leftVectorsOnHost, singularValuesOnHost } from "../../numerics/svd.ts";
import type { WeightChange } from "../run.ts";
import { ROUNDING, type StartWeights } from "./telemetry.ts";

/** Vectors of the tuned weight that are looked at, and the cosine below which one is an intruder. */
export const INTRUDERS = { vectors: 10, cosine: 0.5 } as const;

/** Where both sides of a map are longer, its decompositions take the host many seconds. */
const MOST_DECOMPOSED = 256;
/** Singular values of a change that are told. */
const TOLD = 16;

/**
 * Compares weights at the end of a run with those that it began with. Weights that are not finite are left out, and so are
 * those that moved by rounding alone.
 */
export function changesOf(starts: StartWeights, ends: StartWeights): WeightChange[] {
  return [...starts].flatMap(([targetModule, start]): WeightChange[] => {
    const end = ends.get(targetModule);
    if (!end?.every(Number.isFinite)) return [];
    const matrix = (data: ArrayLike<number>) => ({ rows: targetModule.out, columns: targetModule.in, data });
    const moved = Float64Array.from(end, (value, i) => value - start[i]!);
    const norm = normOf(moved), size = normOf(start);
    if (norm <= ROUNDING * size) return [];
    const small = isSmall(targetModule);
    return [{
      targetModule: targetModule.name,
      norm,
      relativeNorm: norm / size,
      intruders: small ? countIntruders(matrix(start), matrix(end)) : null,
      singularValues: small ? [...singularValuesOnHost(matrix(moved)).subarray(0, TOLD)] : [],
    }];
  });
}

function isSmall(targetModule: TargetModule): boolean {
  return Math.min(targetModule.in, targetModule.out) <= MOST_DECOMPOSED;
}

/**
 * How many intruder dimensions a tuned weight has: of its first 10 left singular vectors those whose cosine with each of the
 * base weight's is below 0.5 (Shuttleworth et al., arXiv 2410.21228, with the numbers of PEFT's method comparison).
 */
export function countIntruders(base: HostMatrix, tuned: HostMatrix): number {
  const all = Math.min(base.rows, base.columns), first = Math.min(INTRUDERS.vectors, all);
  const before = leftVectorsOnHost(base, all), after = leftVectorsOnHost(tuned, first);
  let count = 0;
  for (let vector = 0; vector < first; vector++) {
    let nearest = 0;
    for (let other = 0; other < all; other++) {
      let cosine = 0;
      for (let row = 0; row < base.rows; row++) {
        cosine += after[row * first + vector]! * before[row * all + other]!;
      }
      nearest = Math.max(nearest, Math.abs(cosine));
    }
    if (nearest < INTRUDERS.cosine) count++;
  }
  return count;
}

/** Frobenius norm of a matrix by its numbers. */
export function normOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}
