/**
 * @file The WGSL of products whose right factor is staged in workgroup memory, for kernels with loads and stores of their
 * own: lanes lie along the rows of C, and all products are unrolled text with constant addresses and no branch around
 * them, for llvmpipe, as `matmul/staged_source.ts` says.
 */
import { wgsl } from "./compose.ts";

/** What the text is made of. */
export interface StagedTile {
  /** Inner steps of each term, a multiple of 4, and columns of C that one lane computes, a multiple of 8. */
  readonly steps: number;
  readonly columns: number;
  /** Names of the terms, whose products are added. */
  readonly terms: readonly string[];
  /**
   * WGSL of statements that put four columns times four inner steps of B into the tile. They find the first column `n` and
   * step `k` within the tile, and say the vectors of steps: `put(j, vector)` is that of column j.
   */
  readonly stage: (term: string, put: (j: number, vector: string) => string) => string;
  /** WGSL of a lane's four elements of A from step `k` of the tile on, loaded outside of all branches. */
  readonly row: (term: string, k: number) => string;
  /** WGSL of what is done with four neighbouring sums from column `n` of the tile on, by lanes that have a row. */
  readonly store: (n: number, sums: string) => string;
}

/** Products of a lane between two barriers: code that all lanes run while it is in the cache. */
const PHASE = 1024;
/** Columns whose sums grow side by side in registers. */
const SIDE_BY_SIDE = 8;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** WGSL of a vector of four elements, a line each. */
export function fourLines(element: (i: number) => string): string {
  return `vec4(\n${range(4).map((i) => `  ${element(i)},\n`).join("")})`;
}

/** Bytes of the tile. */
export function tileBytes(
  { steps, columns, terms }: Pick<StagedTile, "steps" | "columns" | "terms">,
): number {
  return 4 * steps * columns * terms.length;
}

/**
 * WGSL of the tile and of the body of `main`. Needs LANES, the lane's number `lane`, `has_row`, which is true for lanes
 * that have a row of C, and a uniform `zero`.
 */
export function stagedTile(
  { steps, columns, terms, stage, row, store }: StagedTile,
): { readonly tile: string; readonly body: string } {
  const quads = steps / 4, phase = Math.max(Math.min(columns, PHASE / (steps * terms.length)), SIDE_BY_SIDE);
  const staging = (term: string, i: number) => {
    const put = (j: number, vector: string) => `tile[to + ${j * quads}u] = ${vector};`;
    return wgsl`
      for (var block = lane; block < ${columns / 4 * quads}u; block += LANES) {
        let n = block / ${quads}u * 4u;
        let k = block % ${quads}u * 4u;
        let to = ${i * columns * quads}u + block / ${quads}u * ${4 * quads}u + block % ${quads}u;
        ${stage(term, put)}
      }
    `;
  };
  const sumsOf = (first: number, side: number) => {
    const some = range(SIDE_BY_SIDE).map((i) => side + i);
    const products = terms.flatMap((term, i) =>
      range(quads).flatMap((q) =>
        some.map((j) =>
          `${i + q === 0 ? `var s${j} =` : `s${j} +=`} dot(tile[${
            i * columns * quads + (first + j) * quads + q
          }], a${term}_${q});`
        )
      )
    );
    return wgsl`
      {
        ${products}
        ${some.map((j) => `sums[${j}] = s${j};`)}
        sums[u.zero + ${side}u] = s${side};
      }
    `;
  };
  const phases = range(columns / phase).map((i) => i * phase).map((first) =>
    wgsl`
      workgroupBarrier();
      ${range(phase / SIDE_BY_SIDE).map((i) => sumsOf(first, i * SIDE_BY_SIDE))}
      if (has_row) {
        ${
      range(phase / 4).map((i) =>
        store(first + 4 * i, `vec4(${range(4).map((j) => `sums[${4 * i + j}]`).join(", ")})`)
      )
    }
      }
    `
  );
  return {
    tile: wgsl`
      // Column by column, so that four inner steps are one vector, term by term.
      var<workgroup> tile: array<vec4<f32>, ${terms.length * columns * quads}>;
    `,
    body: wgsl`
      ${terms.map(staging)}
      ${terms.flatMap((term) => range(quads).map((q) => `let a${term}_${q} = ${row(term, 4 * q)};`))}
      var sums: array<f32, ${phase}>;
      // The first barrier also ends the staging; the others only keep the lanes in one phase.
      ${phases}
    `,
  };
}

/**
 * WGSL for `stage`: four vectors of columns, or of steps where those are what is contiguous, each `vector(along, i)`.
 * `steps` is WGSL that is true where steps lie side by side.
 */
export function stageVectors(
  put: (j: number, vector: string) => string,
  steps: string,
  vector: (along: "steps" | "columns", i: number) => string,
): string {
  return wgsl`
    if (${steps}) {
      ${range(4).map((j) => put(j, vector("steps", j)))}
    } else {
      ${range(4).map((i) => `let x${i} = ${vector("columns", i)};`)}
      ${range(4).map((j) => put(j, `vec4(${range(4).map((i) => `x${i}.${"xyzw"[j]}`).join(", ")})`))}
    }
  `;
}
