/** @file Writes the WGSL of LoRA-Pro's passes over whole moments with staged factors, for llvmpipe. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { wgsl } from "../../kernels/wgsl/compose.ts";
import { declarations } from "../../kernels/wgsl/declarations.ts";
import { fourLines, stagedTile, stageVectors } from "../../kernels/wgsl/staged_tile.ts";

type Declared = Pick<KernelSpec, "buffers" | "uniforms">;

/** Six words a layer, as `struct Layer` has them, and then jobs. */
const layer = wgsl`
  let job = layers[u.jobs + group.z];
  let of_layer = 6u * (job % 4096u);
  let a0 = layers[of_layer];
  let b0 = layers[of_layer + 1u];
  let moments0 = layers[of_layer + 2u];
  let rows = layers[of_layer + 3u];
  let columns = layers[of_layer + 4u];
  let scale = bitcast<f32>(layers[of_layer + 5u]);
  let r = u.rank;
`;

/**
 * WGSL of Adam's moments of s (U K + H L), which is never stored: a lane forms \`columns\` elements of one of its rows.
 * L does not count where a layer's B spans its whole side: see `wide_pair.wgsl`.
 */
export function stagedMomentsSource(
  { steps, columns }: { readonly steps: number; readonly columns: number },
  spec: Declared,
): string {
  const terms = ["u", "h"] as const;
  const { tile, body } = stagedTile({
    ...{ steps, columns, terms },
    stage: (term, put) =>
      wgsl`
        let inside = k < r && n0 + n < columns;
        let share = select(0.0, scale${term === "h" ? " * counts" : ""}, inside);
        let at = a0 + min(k, r - 4u) * columns + min(n0 + n, columns - 4u);
        ${stageVectors(put, "false", (_, i) => `share * ${term}_right[(at + ${i}u * columns) / 4u]`)}
      `,
    row: (term, k) => `${term}_left[(row0 + min(${k}u, r - 4u)) / 4u]`,
    store: (n, sums) =>
      wgsl`
        if (n0 + ${n}u < columns) {
          update((at0 + ${n}u) / 4u, ${sums});
        }
      `,
  });
  const types = {
    ...{ layers: "u32", small: "vec4<f32>", uLeft: "vec4<f32>", hLeft: "vec4<f32>" },
    ...{ uRight: "vec4<f32>", hRight: "vec4<f32>", m: "vec4<f32>", v: "vec4<f32>" },
  };
  return wgsl`
    ${declarations(spec, types as Record<string, string>)}

    // Lanes of a workgroup; each has one row.
    override LANES = 64u;

    ${tile}

    fn update(at: u32, g: vec4<f32>) {
      m[at] = u.beta1 * m[at] + u.rest1 * g;
      v[at] = u.beta2 * v[at] + u.rest2 * g * g;
    }

    @compute @workgroup_size(LANES)
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
      ${layer}
      let counts = 1.0 - small[(job % 4096u) * u.block + u.facts].z;
      let n0 = job / 4194304u * 64u + group.y * ${columns}u;
      let row = job / 4096u % 1024u * 64u + lane;
      let has_row = row < rows;
      let row0 = b0 + min(row, rows - 1u) * r;
      let at0 = moments0 + row * columns + n0;
      ${body}
    }
  `;
}

/**
 * WGSL of U^T D, or with \`of_b\` of D L^T, for Adam's direction D, which is formed from its moments while it is staged.
 * Lanes lie along the ranks.
 */
export function stagedProjectSource(
  { steps, columns }: { readonly steps: number; readonly columns: number },
  spec: Declared,
): string {
  const { tile, body } = stagedTile({
    ...{ steps, columns, terms: [""] },
    stage: (_, put) =>
      wgsl`
        let inside = k0 + k < inner && n0 + n < width;
        let share = select(0.0, u.correction1, inside);
        let k_in = min(k0 + k, inner - 4u);
        let n_in = min(n0 + n, width - 4u);
        let at = moments0 + select(k_in * columns + n_in, n_in * columns + k_in, of_b);
        ${stageVectors(put, "of_b", (_, i) => `direction((at + ${i}u * columns) / 4u, share)`)}
      `,
    row: (_, k) => {
      const element = (i: number) => `left[left0 + min(k0 + ${k + i}u, inner - 1u) * step]`;
      return fourLines(element);
    },
    store: (n, sums) =>
      wgsl`
        if (n0 + ${n}u < width) {
          store(to + (n0 + ${n}u) * to_step, to_step, ${sums});
        }
      `,
  });
  const types = { layers: "u32", left: "f32", m: "vec4<f32>", v: "vec4<f32>", projected: "f32" };
  return wgsl`
    ${declarations(spec, types as Record<string, string>)}

    // Lanes of a workgroup; each has one rank.
    override LANES = 64u;

    ${tile}

    fn direction(at: u32, correction: f32) -> vec4<f32> {
      return correction * m[at] / (sqrt(v[at] * u.correction2) + u.epsilon);
    }

    fn store(at: u32, step: u32, sums: vec4<f32>) {
      var all = sums;
      if (u.first_step > 0u) {
        all += vec4(projected[at], projected[at + step], projected[at + 2u * step], projected[at + 3u * step]);
      }
      projected[at] = all.x;
      projected[at + step] = all.y;
      projected[at + 2u * step] = all.z;
      projected[at + 3u * step] = all.w;
    }

    @compute @workgroup_size(LANES)
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
      ${layer}
      let of_b = u.of_b == 1u;
      let inner = select(rows, columns, of_b);
      let width = select(columns, rows, of_b);
      let k0 = u.first_step;
      let n0 = job / 4096u * 64u;
      let i = group.x * LANES + lane;
      let has_row = i < r;
      let within = min(i, r - 1u);
      let left0 = select(b0 + within, a0 + within * columns, of_b);
      let step = select(r, 1u, of_b);
      let to = select(a0 + i * columns, b0 + i, of_b);
      let to_step = select(1u, r, of_b);
      ${body}
    }
  `;
}
