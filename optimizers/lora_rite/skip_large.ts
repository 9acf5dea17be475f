/** @file Launches what LoRA-RITE does to steps that are too long: it skips them. */
import type { Gpu } from "../../gpu/gpu.ts";
import { lanesOfMatrix, type TallMatrices } from "../../kernels/mod.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import source from "./skip_large.wgsl" with { type: "text" };

const kernel = composeKernel({
  name: "skip_large",
  source,
  buffers: { matrices: "read", x: "read_write" },
  uniforms: { rank: "u32", limit: "f32" },
  constants: { LANES: 64 },
  workgroupBytes: ({ LANES }) => 4 * Number(LANES),
}, { snippets });

/** Sets each matrix to 0 whose root mean square is above `limit`; one that is not finite stays as it is. */
export function skipLarge(
  gpu: Gpu,
  { flat, rank, rows, layouts }: TallMatrices,
  limit: number,
  lanes = lanesOfMatrix(gpu),
): void {
  gpu.launch(kernel, {
    buffers: { matrices: layouts, x: flat },
    uniforms: { rank, limit },
    constants: { LANES: lanes },
    workgroups: [rows.length],
  });
}
