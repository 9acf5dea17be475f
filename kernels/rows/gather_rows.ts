/** @file Launches what gathers rows and adds them up: an embedding, its gradient, rows that move. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import { defineRowKernel, rowKernel } from "../wgsl/rows.ts";
import source from "./gather_rows.wgsl" with { type: "text" };

const kernels = defineRowKernel({
  name: "gather_rows",
  source,
  buffers: { x: "read", offsets: "read", sources: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32", accumulate: "u32" },
  constants: {},
});

/** Which rows of x make up each row of the result, in compressed form. */
export interface RowGather {
  /** Rows of the result. */
  readonly rows: number;
  /** `[rows + 1]`. */
  readonly offsets: Tensor<"u32">;
  /** Indices of rows of x, `[offsets' last, at least 1]`. */
  readonly sources: Tensor<"u32">;
}

/** out[r] (+)= Σ x[sources[j]] for offsets[r] ≤ j < offsets[r + 1]; x is `[.., columns]`. */
export function gatherRows(
  gpu: Gpu,
  x: Tensor,
  gather: RowGather,
  options: { readonly into?: Tensor; readonly accumulate?: boolean } = {},
): Tensor {
  const columns = x.shape.at(-1)!;
  const out = options.into ?? gpu.empty([gather.rows, columns], `rows of ${x.label}`);
  const { kernel, width } = rowKernel(kernels, columns);
  gpu.launch(kernel, {
    buffers: { x, offsets: gather.offsets, sources: gather.sources, out },
    uniforms: {
      rows: gather.rows,
      columns: columns / width,
      accumulate: Number(options.accumulate ?? false),
    },
    workgroups: groupsFor(gather.rows * columns / width),
  });
  return out;
}
