/** @file Decompositions before a run: products on the GPU, small factorisations in float64 on the host. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import type { Random } from "../../numerics/random.ts";
import { orthonormalBasis, type TruncatedSvd, truncatedSvdOnHost } from "../../numerics/svd.ts";
import { matmul } from "../matmul/matmul.ts";

/** Up to this many rows or columns an exact decomposition on the host takes well under a second. */
const EXACT_SIZE = 128;
/** Subspace iterations where none are given, as LoRA-GA's torch.svd_lowrank(niter = 4) takes. */
const ITERATIONS = 4;

/** How a truncated decomposition is found. */
export interface TruncatedSvdOptions {
  /** "exact" on the host, "randomized" with products on the GPU; absent, the size decides. */
  readonly method?: "exact" | "randomized";
  /** Subspace iterations of the randomized method, 0 or more; 4 where absent. */
  readonly iterations?: number;
}

/**
 * The `count` largest singular values and vectors of `matrix` `[rows, columns]`, signs fixed. Waits for the GPU: for
 * set-up, never inside a step.
 *
 * Large matrices take a randomized subspace of 2 · count columns and `iterations` subspace iterations.
 * Source: Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4.
 */
export async function truncatedSvd(
  gpu: Gpu,
  matrix: Tensor,
  count: number,
  random: Random,
  options: TruncatedSvdOptions = {},
): Promise<TruncatedSvd> {
  const [rows, columns] = matrix.shape as [number, number];
  const shorter = Math.min(rows, columns), subspace = Math.min(2 * count, shorter);
  const exact = options.method ? options.method === "exact" : shorter <= EXACT_SIZE;
  if (exact || subspace === shorter) {
    return truncatedSvdOnHost({ rows, columns, data: await gpu.download(matrix) }, count);
  }
  using _ = gpu.scope("truncated SVD", "scratch");
  const basisOf = async (product: Tensor): Promise<Tensor> => {
    const [m, k] = product.shape as [number, number];
    const basis = orthonormalBasis({ rows: m, columns: k, data: await gpu.download(product) });
    return gpu.upload(Float32Array.from(basis), "f32", [m, k], "basis");
  };
  const start = gpu.upload(
    random.normal(columns * subspace, 1),
    "f32",
    [columns, subspace],
    "random directions",
  );
  let left = await basisOf(matmul(gpu, matrix, start));
  for (let i = 0; i < (options.iterations ?? ITERATIONS); i++) {
    const right = await basisOf(matmul(gpu, matrix, left, { transposeA: true }));
    left = await basisOf(matmul(gpu, matrix, right));
  }
  const projected = await gpu.download(matmul(gpu, left, matrix, { transposeA: true }));
  const inner = truncatedSvdOnHost({ rows: subspace, columns, data: projected }, count);
  const small = gpu.upload(Float32Array.from(inner.left), "f32", [subspace, count], "inner vectors");
  const vectors = await gpu.download(matmul(gpu, left, small));
  return { left: Float64Array.from(vectors), values: inner.values, right: inner.right };
}
