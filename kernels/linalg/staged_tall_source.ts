/** @file Writes the WGSL of products of many tall matrices whose right factors are staged, for llvmpipe. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { wgsl } from "../wgsl/compose.ts";
import { declarations } from "../wgsl/declarations.ts";
import { fourLines, stagedTile, stageVectors } from "../wgsl/staged_tile.ts";

/** What varies in the text. */
export interface StagedTallShape {
  /** Inner steps of a term that one dispatch sums up, a multiple of 4. */
  readonly steps: number;
  /** Columns of C that one lane computes, a multiple of 8. */
  readonly columns: number;
  /** True for a sum of two products. */
  readonly two: boolean;
}

/** The terms' buffers. */
export const termsOf = (two: boolean): readonly string[] => two ? ["", "2"] : [""];

/** Tables of tall matrices: those of the terms, and that of C. See `tallMatrices`. */
export const TABLES = ["t1", "t2", "tc"] as const;

/** Uniforms of each factor and of C: where small matrices lie, and which table tall ones have. */
export const OPERANDS = ["table", "at", "block", "row", "column"] as const;

/**
 * WGSL of C = keep C + c A B, or with `two` + d A' B' too, for many matrices; rows of C are whole vectors that lie side
 * by side.
 *
 * A factor is one of many small matrices, whose places are uniforms, or of many tall ones, whose places a table has.
 */
export function stagedTallSource(
  { steps, columns, two }: StagedTallShape,
  spec: Pick<KernelSpec, "buffers" | "uniforms">,
): string {
  const terms = termsOf(two);
  const types = {
    ...Object.fromEntries(terms.flatMap((t) => [[`a${t}`, "f32"], [`b${t}`, "vec4<f32>"]])),
    ...{ c: "vec4<f32>", t1: "u32", t2: "u32", tc: "u32" },
  } as Record<string, string>;
  const place = (name: string) =>
    `let p${name} = place(layer, u.table_${name}, u.at_${name}, u.block_${name}, vec2(u.row_${name}, u.column_${name}));`;
  const { tile, body } = stagedTile({
    ...{ steps, columns, terms },
    stage: (t, put) =>
      wgsl`
        let inside = k0 + k < inner && n0 + n < columns;
        let scale = select(0.0, u.scale${t}, inside);
        let at = pb${t}.x + min(k0 + k, inner - 4u) * pb${t}.y + min(n0 + n, columns - 4u) * pb${t}.z;
        ${
        stageVectors(
          put,
          `pb${t}.y == 1u`,
          (along, i) => `scale * b${t}[(at + ${i}u * pb${t}.${along === "steps" ? "z" : "y"}) / 4u]`,
        )
      }
      `,
    row: (t, k) => {
      const element = (i: number) => `a${t}[a0${t} + min(k0 + ${k + i}u, inner - 1u) * pa${t}.z]`;
      return fourLines(element);
    },
    store: (n, sums) =>
      wgsl`
        if (n0 + ${n}u < columns) {
          store((c0 + ${n}u) / 4u, ${sums});
        }
      `,
  });
  return wgsl`
    ${declarations(spec, types)}

    // Which size is that of the tall matrices.
    const NONE = 0u;
    const ROWS = 1u;
    const COLUMNS = 2u;
    const INNER = 3u;

    // Lanes of a workgroup; each has one row of C.
    override LANES = 64u;

    ${tile}

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
      ${terms.map((t) => `let a0${t} = pa${t}.x + min(m, rows - 1u) * pa${t}.y;`)}
      let c0 = pc.x + m * pc.y + n0;
      let has_row = m < rows;
      ${body}
    }
  `;
}
