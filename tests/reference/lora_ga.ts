/** @file LoRA-GA's start in float64. */
import { svd } from "./decompositions.ts";
import { type Matrix, multiply, scale as scaled, sliceColumns, subtract, transpose } from "./matrix.ts";
import type { Factors } from "./low_rank.ts";

/** Settings of LoRA-GA's start. */
export interface LoraGaOptions {
  readonly rank: number;
  /** s in W = W0 + s B A; LoRA-GA's own command uses alpha / sqrt(rank). */
  readonly scale: number;
  /** Both factors are multiplied by out^(1/4) / sqrt(gamma); 16 in the authors' runs. */
  readonly gamma: number;
}

/** Factors, and the base weight that keeps the effective weight as it was. */
export interface LoraGaStart extends Factors {
  /** W - s B A, `[out, in]`. */
  readonly weight: Matrix;
}

/**
 * The authors' rule ("ArB2r", scale "stable"): with G = U S Vᵀ, A is the first r right singular vectors and B the left
 * vectors r to 2r - 1, both times out^(1/4) / sqrt(gamma).
 *
 * A and B come from different singular pairs, so B A depends on signs that an SVD is free to choose: they are fixed by
 * making the largest-magnitude entry of each right vector positive, the left vector turned with it. Well defined where
 * the first 2r singular values are distinct and positive.
 *
 * Source: Wang, Yu, Li: "LoRA-GA: Low-Rank Adaptation with Gradient Approximation", NeurIPS 2024, arXiv 2407.05000.
 * @throws {RangeError} where 2 * rank > min(out, in)
 */
export function loraGaStart(gradient: Matrix, weight: Matrix, options: LoraGaOptions): LoraGaStart {
  const { rank, scale, gamma } = options;
  if (2 * rank > Math.min(gradient.rows, gradient.columns)) {
    throw new RangeError(
      `Cannot start LoRA-GA of rank ${rank} on [${gradient.rows}, ${gradient.columns}]: both sides must be ${
        2 * rank
      } or more`,
    );
  }
  const { u, v } = signedSvd(gradient);
  const size = gradient.rows ** 0.25 / Math.sqrt(gamma);
  const a = scaled(transpose(sliceColumns(v, 0, rank)), size);
  const b = scaled(sliceColumns(u, rank, 2 * rank), size);
  return { a, b, scale, weight: subtract(weight, scaled(multiply(b, a), scale)) };
}

/** Thin SVD whose right vectors each have a positive largest-magnitude entry (the first of equals). */
export function signedSvd(m: Matrix): ReturnType<typeof svd> {
  const { u, values, v } = svd(m);
  const signs = values.map((_, j) => {
    let largest = 0;
    for (let i = 0; i < v.rows; i++) {
      const entry = v.data[i * v.columns + j]!;
      if (Math.abs(entry) > Math.abs(largest)) largest = entry;
    }
    return largest < 0 ? -1 : 1;
  });
  const turn = (vectors: Matrix): Matrix => ({
    ...vectors,
    data: vectors.data.map((value, i) => value * signs[i % vectors.columns]!),
  });
  return { u: turn(u), values, v: turn(v) };
}
