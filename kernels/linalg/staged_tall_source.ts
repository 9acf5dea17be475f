/** @file Writes the WGSL of products of many tall matrices whose right factors are staged, for llvmpipe. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { wgsl } from "../wgsl/compose.ts";
import { declarations } from "../wgsl/declarations.ts";

/** What varies in the text. */
export interface StagedTallShape {
  /** Inner steps of a term that one dispatch sums up, a multiple of 4. */
  readonly steps: number;
  /** Columns of C that one lane computes, a multiple of 8. */
  readonly columns: number;
  /** True for a sum of two products. */
  readonly two: boolean;
}

/** Products of a lane between two barriers: code that all lanes run while it is in the cache. */
const PHASE = 1024;
/** Columns whose sums grow side by side in registers. */
const SIDE_BY_SIDE = 8;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const FOUR = range(4);
const fourLines = (element: (i: number) => string) =>
  `vec4(\n${FOUR.map((i) => `  ${element(i)},\n`).join("")})`;

/** The terms' buffers. */
export const termsOf = (two: boolean): readonly string[] => two ? ["", "2"] : [""];

/** Tables of tall matrices: those of the terms, and that of C. See `tallMatrices`. */
export const TABLES = ["t1", "t2", "tc"] as const;

/** Uniforms of each factor and of C: where small matrices lie, and which table tall ones have. */
export const OPERANDS = ["table", "at", "block", "row", "column"] as const;

/**
 * WGSL of C = keep C + c A B, or with \`two\` + d A' B' too, for many matrices; rows of C are whole vectors that lie side
 * by side. Lanes lie along the rows of C; each holds its part of a row of A in registers and meets all columns of a tile
 * of B that the workgroup has staged. All products are unrolled text with constant addresses, no branch around them, as in
 * \`matmul/staged_source.ts\`, which says why.
 *
 * A factor is one of many small matrices, whose places are uniforms, or of many tall ones, whose places a table has.
 */
export function stagedTallSource(
  { steps, columns, two }: StagedTallShape,
  spec: Pick<KernelSpec, "buffers" | "uniforms">,
): string {
  const quads = steps / 4, terms = termsOf(two), phase = Math.min(columns, PHASE / (steps * terms.length));
  const types = {
    ...Object.fromEntries(terms.flatMap((t) => [[`a${t}`, "f32"], [`b${t}`, "vec4<f32>"]])),
    ...{ c: "vec4<f32>", t1: "u32", t2: "u32", tc: "u32" },
  } as Record<string, string>;
  const place = (name: string) =>
    `let p${name} = place(layer, u.table_${name}, u.at_${name}, u.block_${name}, vec2(u.row_${name}, u.column_${name}));`;
  const stage = (t: string, behind: number) => {
    const vector = (step: string, i: number) => `b${t}[(at + ${i}u * pb${t}.${step}) / 4u]`;
    return wgsl`
      for (var block = lane; block < ${columns / 4 * quads}u; block += LANES) {
        let n = n0 + block / ${quads}u * 4u;
        let k = k0 + block % ${quads}u * 4u;
        let scale = select(0.0, u.scale${t}, k < inner && n < columns);
        let at = pb${t}.x + min(k, inner - 4u) * pb${t}.y + min(n, columns - 4u) * pb${t}.z;
        let to = ${behind}u + block / ${quads}u * ${4 * quads}u + block % ${quads}u;
        if (pb${t}.y == 1u) {
          ${FOUR.map((j) => `tile[to + ${j * quads}u] = scale * ${vector("z", j)};`)}
        } else {
          ${FOUR.map((i) => `let x${i} = scale * ${vector("y", i)};`)}
          ${
      FOUR.map((j) => `tile[to + ${j * quads}u] = vec4(${FOUR.map((i) => `x${i}.${"xyzw"[j]}`).join(", ")});`)
    }
        }
      }
    `;
  };
  const row = (t: string) =>
    range(quads).map((q) => {
      const value = fourLines((i) => `a${t}[a0${t} + min(k0 + ${4 * q + i}u, inner - 1u) * pa${t}.z]`);
      return `let a${t}_${q} = ${value};`;
    });
  const sumsOf = (first: number, side: number) => {
    const some = range(SIDE_BY_SIDE).map((i) => side + i);
    const products = terms.flatMap((t, term) =>
      range(quads).flatMap((q) =>
        some.map((j) =>
          `${term + q === 0 ? `var s${j} =` : `s${j} +=`} dot(tile[${
            term * columns * quads + (first + j) * quads + q
          }], a${t}_${q});`
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
      if (m < rows) {
        ${
      range(phase / 4).map((i) => {
        const some = FOUR.map((j) => `sums[${4 * i + j}]`).join(", ");
        return wgsl`
          if (n0 + ${first + 4 * i}u < columns) {
            store((c0 + ${first + 4 * i}u) / 4u, vec4(${some}));
          }
        `;
      })
    }
      }
    `
  );
  return wgsl`
    ${declarations(spec, types)}

    // Which size is that of the tall matrices.
    const NONE = 0u;
    const ROWS = 1u;
    const COLUMNS = 2u;
    const INNER = 3u;

    // Lanes of a workgroup; each has one row of C.
    override LANES = 64u;

    // Column by column, so that four inner steps are one vector; the second term's come behind.
    var<workgroup> tile: array<vec4<f32>, ${terms.length * columns * quads}>;

    // Where a layer's matrix begins, and strides from one row and from one column to the next. Table: 0 none, 1 and 2 the
    // terms', 3 that of C; 4 more where the matrix is transposed.
    fn place(layer: u32, table: u32, at: u32, block: u32, strides: vec2<u32>) -> vec3<u32> {
      let from_ = 5u * layer;
      let one = vec3(t1[from_], t1[from_ + 2u], t1[from_ + 3u]);
      let two = vec3(t2[from_], t2[from_ + 2u], t2[from_ + 3u]);
      let three = vec3(tc[from_], tc[from_ + 2u], tc[from_ + 3u]);
      let small = vec3(layer * block, strides);
      let which = table % 4u;
      let found = select(select(select(three, two, which == 2u), one, which == 1u), small, which == 0u);
      return vec3(at, 0u, 0u) + select(found, found.xzy, table > 3u);
    }

    fn store(at: u32, value: vec4<f32>) {
      var sum = value;
      if (u.keep != 0.0) {
        sum += u.keep * c[at];
      }
      c[at] = sum;
    }

    @compute @workgroup_size(LANES)
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
      // Of a tile of C, or of the layers with the most inner steps.
      let job = select(tc[u.jobs + group.z], t1[u.jobs + group.z], u.tall == INNER);
      let layer = select(job % 65536u, group.z, u.tall == NONE);
      let part = job / 65536u;
      let inner = select(u.rank, t1[5u * layer + 1u], u.tall == INNER);
      let rows = select(u.rank, tc[5u * layer + 1u], u.tall == ROWS);
      let columns = select(u.rank, tc[5u * layer + 1u], u.tall == COLUMNS);
      let k0 = u.first_step;
      let n0 = select(group.y * ${columns}u, part * 64u, u.tall == COLUMNS);
      let m = select(group.x * LANES, part * 64u, u.tall == ROWS) + lane;
      ${[...terms.flatMap((t) => [`a${t}`, `b${t}`]), "c"].map(place)}
      ${terms.map((t, term) => stage(t, term * columns * quads))}
      ${terms.map((t) => `let a0${t} = pa${t}.x + min(m, rows - 1u) * pa${t}.y;`)}
      ${terms.flatMap((t) => row(t))}
      var sums: array<f32, ${phase}>;
      let c0 = pc.x + m * pc.y + n0;
      ${phases}
    }
  `;
}
