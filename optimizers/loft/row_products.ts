/** @file Launches what LoFT does with second moments: they grow by products of gradients, and become directions of W. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { ELEMENT_BYTES, type Tensor } from "../../gpu/tensor.ts";
import { matmul, type TallMatrices, tallMatrices, tallTableWords } from "../../kernels/mod.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { groupsFor, groupsForEach, groupsToShare } from "../../kernels/wgsl/groups.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import directionSource from "./direction.wgsl" with { type: "text" };
import pairsSource from "./pairs.wgsl" with { type: "text" };
import productsSource from "./row_products.wgsl" with { type: "text" };

const productsKernel = composeKernel({
  name: "row_products",
  source: productsSource,
  buffers: { matrices: "read", productMatrices: "read", g: "read", products: "read_write" },
  uniforms: { rank: "u32", share: "f32" },
  constants: {},
}, { snippets });
const pairsKernel = defineKernel({
  name: "pairs",
  source: pairsSource,
  buffers: { x: "read", pairs: "read_write" },
  uniforms: { rank: "u32", rows: "u32", row: "u32", column: "u32", first: "u32", count: "u32" },
  constants: { SECOND_MOMENTS: false },
});
const directionKernel = composeKernel({
  name: "direction",
  source: directionSource,
  buffers: { m: "read", out: "read_write" },
  uniforms: { count: "u32", first: "f32", second: "f32", epsilon: "f32" },
  constants: {},
}, { snippets });

/** Columns a of which the pairs (a, b) are multiplied at a time, b being all from the first of them on. */
const PAIR_COLUMNS = 8;

/**
 * For every row j of a tall matrix `[rows, rank]` a symmetric P_j `[rank, rank]`: (a, b) of P_j is at (a, j, b) of `[rank, rows,
 * rank]`. So all P_j K, and all Kᵀ P_j, are products of one tall matrix with K.
 */
export interface RowProducts {
  /** Rows (a, j), columns b. */
  readonly byRows: TallMatrices;
  /** Rows (j, b), columns a. */
  readonly byColumns: TallMatrices;
}

/** Numbers of the P_j of each matrix of so many rows. */
export function rowProductSizes(rank: number, rows: readonly number[]): readonly number[] {
  return rows.map((count) => rank * count * rank);
}

/** Words of the two tables of `describeRowProducts`. */
export function rowProductTables(rank: number, rows: readonly number[]): readonly (readonly number[])[] {
  const words = [tallTableWords(rows.map((count) => rank * count))];
  return [words, words];
}

/**
 * Describes `parts`, one `[rank, rows, rank]` for each tall matrix, in order in one buffer, which `flat` spans; uploads two
 * tables into the caller's scope.
 */
export function describeRowProducts(
  gpu: Gpu,
  parts: readonly Tensor[],
  flat: Tensor,
  rank: number,
): RowProducts {
  const places = parts.map(({ offset, shape }) => ({
    offset: (offset - flat.offset) / ELEMENT_BYTES,
    rows: shape[1]! * rank,
  }));
  return {
    byRows: tallMatrices(
      gpu,
      flat,
      rank,
      places.map((place) => ({ ...place, rowStride: rank, columnStride: 1 })),
    ),
    byColumns: tallMatrices(
      gpu,
      flat,
      rank,
      places.map((place) => ({ ...place, rowStride: 1, columnStride: place.rows })),
    ),
  };
}

/** P_j ← P_j + share · gᵀ g for every row g of the gradients. */
export function addRowProducts(
  gpu: Gpu,
  { byRows }: RowProducts,
  gradients: TallMatrices,
  share: number,
): void {
  const { rank, rows, layouts, flat } = gradients;
  gpu.launch(productsKernel, {
    buffers: { matrices: layouts, productMatrices: byRows.layouts, g: flat, products: byRows.flat },
    uniforms: { rank, share },
    workgroups: groupsForEach(rows.length, rank * Math.max(...rows)),
  });
}

/** One layer's factors and moments, for `directionOf`. */
export interface DirectionOperands {
  /** The factor that stays: A `[rank, in]` or B `[out, rank]`. */
  readonly x: Tensor;
  /** First moments of the factor that moves, laid out as it is. */
  readonly m: Tensor;
  /** Second moments of its rows, `[rank, rows, rank]`. */
  readonly products: Tensor;
  /** "a" where A moves. */
  readonly moves: "a" | "b";
}

/** Numbers of each tensor that `directionOf` makes on the way at a map `[out, in]`. */
export function directionSizes(rank: number, { in: columns, out }: MapSides): readonly (readonly number[])[] {
  const pairs = Math.min(PAIR_COLUMNS, rank) * rank;
  return [[pairs * columns], [pairs * out], [columns * out]];
}

/** Sides of a map. */
interface MapSides {
  readonly in: number;
  readonly out: number;
}

/**
 * AdamW's direction on W, `[out, in]`, written to `out`: M / (√V + epsilon) with M = first · X mᵀ, V = second · x P xᵀ. V is
 * a product of all x_a x_b with all P_ab, a ≤ b, some a at a time.
 */
export function directionOf(
  gpu: Gpu,
  { x, m, products, moves }: DirectionOperands,
  { first, second, epsilon }: { readonly first: number; readonly second: number; readonly epsilon: number },
  out: Tensor,
): void {
  using _ = gpu.scope("moments of W", "scratch");
  const [rows, columns] = out.shape as [number, number], ofA = moves === "a";
  const rank = x.shape[ofA ? 1 : 0]!, [lines, moving] = ofA ? [rows, columns] : [columns, rows];
  const most = Math.min(PAIR_COLUMNS, rank) * rank;
  const ofX = gpu.empty([lines, most], "pairs of a factor");
  const ofP = gpu.empty([moving, most], "pairs of second moments");
  for (let from = 0; from < rank; from += PAIR_COLUMNS) {
    const count = Math.min(PAIR_COLUMNS, rank - from), inner = count * (rank - from);
    const uniforms = { rank, first: from, count };
    gpu.launch(pairsKernel, {
      buffers: { x, pairs: ofX },
      // B has its rank innermost, A its columns.
      uniforms: { ...uniforms, rows: lines, ...ofA ? { row: rank, column: 1 } : { row: 1, column: columns } },
      constants: { SECOND_MOMENTS: false },
      workgroups: groupsFor(lines * count),
    });
    gpu.launch(pairsKernel, {
      buffers: { x: products, pairs: ofP },
      uniforms: { ...uniforms, rows: moving, row: 0, column: 0 },
      constants: { SECOND_MOMENTS: true },
      workgroups: groupsFor(moving * count),
    });
    const [left, right] = [{ ...ofX, shape: [lines, inner] }, { ...ofP, shape: [moving, inner] }];
    matmul(gpu, ofA ? left : right, ofA ? right : left, {
      transposeB: true,
      into: out,
      accumulate: from > 0,
    });
  }
  const moments = ofA ? matmul(gpu, x, m) : matmul(gpu, m, x), count = rows * columns;
  gpu.launch(directionKernel, {
    buffers: { m: moments, out },
    uniforms: { count, first, second, epsilon },
    workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
  });
}
