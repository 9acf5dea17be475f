/** @file Launches what LoFT does with second moments: they grow by products of gradients, and become directions of W. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { ELEMENT_BYTES, type Tensor } from "../../gpu/tensor.ts";
import { type TallMatrices, tallMatrices, tallTableWords } from "../../kernels/mod.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { groupsFor, groupsForEach } from "../../kernels/wgsl/groups.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import directionSource from "./direction.wgsl" with { type: "text" };
import productsSource from "./row_products.wgsl" with { type: "text" };

const productsKernel = composeKernel({
  name: "row_products",
  source: productsSource,
  buffers: { matrices: "read", productMatrices: "read", g: "read", products: "read_write" },
  uniforms: { rank: "u32", share: "f32" },
  constants: {},
}, { snippets });
const directionKernel = defineKernel({
  name: "direction",
  source: directionSource,
  buffers: { x: "read", m: "read", products: "read", out: "read_write" },
  uniforms: {
    rank: "u32",
    lines: "u32",
    rows: "u32",
    xRow: "u32",
    xColumn: "u32",
    mRow: "u32",
    mColumn: "u32",
    outLine: "u32",
    outRow: "u32",
    first: "f32",
    second: "f32",
    epsilon: "f32",
    zero: "u32",
  },
  constants: {},
});

/**
 * For every row j of a tall matrix `[rows, rank]` a symmetric P_j `[rank, rank]`: (a, b) of P_j is at (a, j, b) of `[rank, rows,
 * rank]`. So all P_j K, and all Kᵀ P_j, are products of one tall matrix with K.
 */
export interface RowProducts {
  /** One for each tall matrix, `[rank, rows, rank]`, in order in one buffer. */
  readonly parts: readonly Tensor[];
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

/** Describes `parts` as `RowProducts`; uploads two tables into the caller's scope. `flat` spans them. */
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
    parts,
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

/** AdamW's direction on W, `[out, in]`, written to `out`: M / (√V + epsilon) with M = first · X mᵀ, V = second · x P xᵀ. */
export function directionOf(
  gpu: Gpu,
  { x, m, products, moves }: DirectionOperands,
  { first, second, epsilon }: { readonly first: number; readonly second: number; readonly epsilon: number },
  out: Tensor,
): void {
  const [rows, columns] = out.shape as [number, number], ofA = moves === "a";
  const rank = x.shape[ofA ? 1 : 0]!, sizes = ofA ? [rows, columns] as const : [columns, rows] as const;
  const [lines, moving] = sizes;
  gpu.launch(directionKernel, {
    buffers: { x, m, products, out },
    uniforms: {
      rank,
      lines,
      rows: moving,
      // B has its rank innermost, A its columns.
      ...ofA ? { xRow: rank, xColumn: 1, mRow: 1, mColumn: columns } : {
        xRow: 1,
        xColumn: columns,
        mRow: rank,
        mColumn: 1,
      },
      ...ofA ? { outLine: columns, outRow: 1 } : { outLine: 1, outRow: columns },
      first,
      second,
      epsilon,
      zero: 0,
    },
    workgroups: groupsFor(moving * Math.ceil(lines / 8)),
  });
}
