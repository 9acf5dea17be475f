/** @file Where many tall matrices lie, and many small ones. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";

/** Largest rank that the decomposition takes. */
export const MAX_RANK = 256;

/** Up to this rank one workgroup decomposes a matrix by Gram-Schmidt in one dispatch; above it many share the work. */
export const GRAM_SCHMIDT_RANK = 12;

/** Where a matrix `[rows, rank]` lies: element (t, j) is `offset + t * rowStride + j * columnStride` of its buffer. */
export interface TallLayout {
  readonly offset: number;
  readonly rows: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Matrices `[rows, rank]` of one rank in one buffer. */
export interface TallMatrices {
  readonly flat: Tensor;
  readonly rank: number;
  /** Of each matrix. */
  readonly rows: readonly number[];
  /** Their table: see `tallMatrices`. */
  readonly layouts: Tensor<"u32">;
  /** True where columns are what lies side by side in memory, as those of A transposed. */
  readonly wide: boolean;
  /** True where all can be read and written four elements at a time, along rows and columns. */
  readonly whole: boolean;
}

/** r x r matrices in one buffer, one a layer: element (i, j) of layer k is `at + k * block + i * row + j * column`. */
export interface SmallMatrices {
  readonly tensor: Tensor;
  readonly at: number;
  readonly block: number;
  readonly row: number;
  readonly column: number;
}

/** Rows of a tile: see `tallMatrices`. */
export const TILE_ROWS = 64;

/** Words from one row of a small matrix to the next: whole vectors of four. */
export function smallStride(rank: number): number {
  return 4 * Math.ceil(rank / 4);
}

/**
 * Describes the matrices that lie in `flat`; uploads their table into the caller's scope: where each lies, five words; the
 * matrices, those with the most rows first; and the tiles of all.
 *
 * @throws {RangeError} where the rank is above `MAX_RANK`
 */
export function tallMatrices(
  gpu: Gpu,
  flat: Tensor,
  rank: number,
  matrices: readonly TallLayout[],
): TallMatrices {
  if (rank > MAX_RANK) {
    throw new RangeError(`Cannot decompose factors of rank ${rank}: at most ${MAX_RANK} is supported`);
  }
  let above = 0;
  const indices = matrices.map((_, i) => i);
  const words = matrices.flatMap(({ offset, rows, rowStride, columnStride }) => {
    const place = above * smallStride(rank) / 4;
    above += rows;
    return [offset, rows, rowStride, columnStride, place];
  });
  const longestFirst = indices.toSorted((i, j) => matrices[j]!.rows - matrices[i]!.rows || i - j);
  const tiles = indices.flatMap((i) =>
    Array.from({ length: tilesOf(matrices[i]!.rows) }, (_, tile) => jobOf(i, tile))
  );
  const table = Uint32Array.from([...words, ...longestFirst, ...tiles]);
  return {
    flat,
    rank,
    rows: matrices.map(({ rows }) => rows),
    wide: matrices.every(({ rowStride }) => rowStride === 1),
    whole: rank % 4 === 0 &&
      matrices.every(({ offset, rows, rowStride, columnStride }) =>
        [offset, rows, rowStride === 1 ? columnStride : rowStride].every((size) => size % 4 === 0) &&
        Math.min(rowStride, columnStride) === 1
      ),
    layouts: gpu.upload(table, "u32", [table.length], "layouts"),
  };
}

/** Words of the table of matrices `[rows, rank]`. */
export function tallTableWords(rows: readonly number[]): number {
  return 6 * rows.length + sum(rows.map(tilesOf));
}

/** Tiles of some rows. */
export function tilesOf(rows: number): number {
  return Math.ceil(rows / TILE_ROWS);
}

/** A matrix and a tile of it in one word. */
export function jobOf(matrix: number, tile: number): number {
  return matrix + 2 ** 16 * tile;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
