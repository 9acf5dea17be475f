/** @file Launches what gathers rows and adds them up: an embedding, its gradient, rows that move. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type LowPrecision, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import { defineRowKernel, lanesAcross, rowGroups, rowKernel } from "../wgsl/rows.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { elementType, kernelsByType, readRows } from "../wgsl/stored.ts";
import source from "./gather_rows.wgsl" with { type: "text" };
import storedSource from "./gather_stored_rows.wgsl" with { type: "text" };

const kernels = defineRowKernel({
  name: "gather_rows",
  source,
  buffers: { x: "read", offsets: "read", sources: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32", accumulate: "u32" },
  constants: { LANES: 64 },
});

/** The same of rows in low precision, which are tables: nothing is added to what is there. */
const storedKernels = [true, false].map((vector) =>
  kernelsByType((type: LowPrecision) => {
    const stored = { vector, type, count: "u.count" };
    return composeKernel({
      name: `gather_stored_rows${type === "f16" ? "" : `_${type}`}`,
      source: storedSource,
      buffers: { x: "read", offsets: "read", sources: "read", out: "read_write" },
      uniforms: { rows: "u32", columns: "u32", count: "u32" },
      constants: {},
    }, { snippets: { stored: `alias Stored = ${elementType(stored)};`, read: readRows("x", stored) } });
  })
);

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
  const { kernel, width } = rowKernel(kernels, columns), lanes = lanesAcross(gpu, columns / width);
  gpu.launch(kernel, {
    buffers: { x, offsets: gather.offsets, sources: gather.sources, out },
    uniforms: { rows: gather.rows, columns, accumulate: Number(options.accumulate ?? false) },
    constants: { LANES: lanes },
    workgroups: rowGroups(gather.rows, lanes),
  });
  return out;
}

/** out[r] = Σ x[sources[j]] as in `gatherRows`, of rows in low precision: each number is read as it is kept, sums are in f32. */
export function gatherStoredRows(gpu: Gpu, x: Tensor<LowPrecision>, gather: RowGather): Tensor {
  const columns = x.shape.at(-1)!, { rows, offsets, sources } = gather;
  const out = gpu.empty([rows, columns], `rows of ${x.label}`);
  const kernelOf = storedKernels[columns % 4 === 0 ? 0 : 1]!;
  gpu.launch(kernelOf(x.dtype), {
    buffers: { x, offsets, sources, out },
    uniforms: { rows, columns, count: elementCount(x.shape) },
    workgroups: groupsFor(rows * Math.ceil(columns / 4)),
  });
  return out;
}
