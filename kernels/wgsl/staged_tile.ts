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
  /** Names of the terms, whose products are added: one after the other, in one tile's memory. */
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
  { steps, columns }: Pick<StagedTile, "steps" | "columns">,
): number {
  return 4 * steps * columns;
}

/**
 * WGSL of the tile and of the body of `main`. Needs LANES, the lane's number `lane`, `has_row`, which is true for lanes
 * that have a row of C, and a uniform `zero`.
 */
export function stagedTile(
  { steps, columns, terms, stage, row, store }: StagedTile,
): { readonly tile: string; readonly body: string } {
  const quads = steps / 4, phase = Math.max(Math.min(columns, PHASE / steps), SIDE_BY_SIDE);
  // Sums wait for those of the next term.
  const waiting = terms.length > 1;
  const staging = (term: string) => {
    const put = (j: number, vector: string) => `tile[to + ${j * quads}u] = ${vector};`;
    return wgsl`
      for (var block = lane; block < ${columns / 4 * quads}u; block += LANES) {
        let n = block / ${quads}u * 4u;
        let k = block % ${quads}u * 4u;
        let to = block / ${quads}u * ${4 * quads}u + block % ${quads}u;
        ${stage(term, put)}
      }
    `;
  };
  const sumsOf = (term: string, first: number, side: number, at: (column: number) => number) => {
    const some = range(SIDE_BY_SIDE).map((j) => first + side + j);
    const products = range(quads).flatMap((q) =>
      some.map((j) => `${q === 0 ? `var s${j} =` : `s${j} +=`} dot(tile[${j * quads + q}], a${term}_${q});`)
    );
    return wgsl`
      {
        ${products}
        ${waiting && some.map((j) => `s${j} += sums[${at(j)}];`)}
        ${some.map((j) => `sums[${at(j)}] = s${j};`)}
        sums[u.zero + ${at(some[0]!)}u] = s${some[0]!};
      }
    `;
  };
  const stores = (first: number, count: number, at: (column: number) => number) => {
    const four = (n: number) => `vec4(${range(4).map((j) => `sums[${at(n + j)}]`).join(", ")})`;
    return wgsl`
      if (has_row) {
        ${range(count / 4).map((n) => store(first + 4 * n, four(first + 4 * n)))}
      }
    `;
  };
  const phases = (term: string) =>
    range(columns / phase).map((n) => n * phase).map((first) => {
      const at = (column: number) => waiting ? column : column - first;
      return wgsl`
        workgroupBarrier();
        ${range(phase / SIDE_BY_SIDE).map((n) => sumsOf(term, first, n * SIDE_BY_SIDE, at))}
        ${!waiting && stores(first, phase, at)}
      `;
    });
  const body = terms.map((term, i) =>
    wgsl`
      ${i > 0 && "workgroupBarrier();"}
      ${staging(term)}
      ${range(quads).map((q) => `let a${term}_${q} = ${row(term, 4 * q)};`)}
      ${phases(term)}
    `
  );
  return {
    tile: wgsl`
      // Column by column, so that four inner steps are one vector.
      var<workgroup> tile: array<vec4<f32>, ${columns * quads}>;
    `,
    body: wgsl`
      var sums: array<f32, ${waiting ? columns : phase}>;
      // The first barrier after the staging also ends it; the others only keep the lanes in one phase.
      ${body}
      ${waiting && stores(0, columns, (column) => column)}
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
