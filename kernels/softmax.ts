/** @file Softmax of rows, causal where asked. */
import type { Gpu } from "../gpu/gpu.ts";
import { defineKernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { rowGroups, rowLanes, type RowOptions, rowSizes } from "./rows.ts";
import source from "./softmax.wgsl" with { type: "text" };
import backwardSource from "./softmax_backward.wgsl" with { type: "text" };

const PARTIAL_BYTES = 64 * 4;

const kernel = defineKernel({
  name: "softmax",
  source,
  buffers: { x: "read_write" },
  uniforms: { rows: "u32", columns: "u32", queries: "u32" },
  constants: { LANES: 1, CAUSAL: false },
  workgroupBytes: () => PARTIAL_BYTES,
});

const backwardKernel = defineKernel({
  name: "softmax_backward",
  source: backwardSource,
  buffers: { p: "read", g: "read_write" },
  uniforms: { rows: "u32", columns: "u32" },
  constants: { LANES: 1 },
  workgroupBytes: () => PARTIAL_BYTES,
});

/**
 * Softmax of each row of `x` `[.., columns]`, in place.
 *
 * With `causalQueries` row r belongs to query r mod causalQueries, and a query sees the columns up to its own place,
 * the last query all of them; what it does not see becomes 0.
 */
export function softmaxInPlace(
  gpu: Gpu,
  x: Tensor,
  options: RowOptions & { readonly causalQueries?: number } = {},
): void {
  const { rows, columns } = rowSizes(x);
  const queries = options.causalQueries;
  if (queries !== undefined && !(queries >= 1 && queries <= columns)) {
    throw new RangeError(
      `Cannot mask "${x.label}" [${x.shape}] for ${queries} queries: 1 to ${columns} are allowed`,
    );
  }
  const lanes = rowLanes(gpu, options);
  gpu.launch(kernel, {
    buffers: { x },
    uniforms: { rows, columns, queries: queries ?? 1 },
    constants: { LANES: lanes, CAUSAL: queries !== undefined },
    workgroups: rowGroups(rows, lanes),
  });
}

/** Turns the gradient `g` of probabilities `p` into that of the scores, in place: p (g − Σ p g). */
export function softmaxBackwardInPlace(gpu: Gpu, p: Tensor, g: Tensor, options: RowOptions = {}): void {
  const { rows, columns } = rowSizes(p);
  const lanes = rowLanes(gpu, options);
  gpu.launch(backwardKernel, {
    buffers: { p, g },
    uniforms: { rows, columns },
    constants: { LANES: lanes },
    workgroups: rowGroups(rows, lanes),
  });
}
