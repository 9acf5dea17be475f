/** @file RMS norm and layer norm of rows. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { defineRowKernel, rowGroups, rowKernel, rowLanes, type RowOptions, rowSizes } from "../wgsl/rows.ts";
import addSource from "./add_norm.wgsl" with { type: "text" };
import source from "./norm.wgsl" with { type: "text" };
import backwardSource from "./norm_backward.wgsl" with { type: "text" };

const constants = { LANES: 1, CENTER: false } as const;
const workgroupBytes = () => 64 * 4;
const forward = {
  uniforms: { rows: "u32", columns: "u32", epsilon: "f32" },
  constants: { ...constants, BIAS: false },
  workgroupBytes,
} as const;

const kernels = defineRowKernel({
  name: "norm",
  source,
  buffers: { x: "read", weight: "read", bias: "read", out: "read_write", statistics: "read_write" },
  ...forward,
});

const addKernels = defineRowKernel({
  name: "add_norm",
  source: addSource,
  buffers: {
    x: "read",
    y: "read",
    weight: "read",
    bias: "read",
    sum: "read_write",
    out: "read_write",
    statistics: "read_write",
  },
  ...forward,
  constants: { ...forward.constants, IN_PLACE: false },
});

const backwardKernels = defineRowKernel({
  name: "norm_backward",
  source: backwardSource,
  buffers: { g: "read", x: "read", weight: "read", statistics: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32", accumulate: "u32" },
  constants,
  workgroupBytes,
});

/** Which norm: `center` subtracts the mean (layer norm), without it the mean counts as 0 (RMS norm). */
export interface NormOptions extends RowOptions {
  readonly epsilon: number;
  readonly center: boolean;
}

/**
 * y = (x − mean) / sqrt(variance + epsilon) · weight (+ bias) for each row of `x` `[.., columns]`.
 *
 * Also returns `(mean, 1 / deviation)` of each row, `[rows, 2]`, which the backward pass needs.
 * Sources: Ba et al., arXiv 1607.06450; Zhang and Sennrich, arXiv 1910.07467.
 */
export function norm(
  gpu: Gpu,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: NormOptions,
): { readonly out: Tensor; readonly statistics: Tensor } {
  const out = gpu.empty(x.shape, `norm(${x.label})`);
  const statistics = gpu.empty([rowSizes(x).rows, 2], "norm statistics");
  gpu.launch(rowKernel(kernels, rowSizes(x).columns).kernel, {
    buffers: { x, weight, bias: bias ?? weight, out, statistics },
    ...launchOf(gpu, x, bias, options),
  });
  return { out, statistics };
}

/** What launches of both forward kernels have in common. */
function launchOf(gpu: Gpu, x: Tensor, bias: Tensor | null, options: NormOptions) {
  const { rows, columns } = rowSizes(x), lanes = rowLanes(gpu, options);
  return {
    uniforms: { rows, columns, epsilon: options.epsilon },
    constants: { LANES: lanes, CENTER: options.center, BIAS: bias !== null },
    workgroups: rowGroups(rows, lanes),
  };
}

/** `norm` of x + y, and x + y itself; with `overwrite` in the place of y. */
export function addNorm(
  gpu: Gpu,
  x: Tensor,
  y: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  { overwrite = false, ...options }: NormOptions & { readonly overwrite?: boolean },
): { readonly sum: Tensor; readonly out: Tensor; readonly statistics: Tensor } {
  const { rows, columns } = rowSizes(x);
  if (rowSizes(y).rows !== rows || rowSizes(y).columns !== columns) {
    throw new RangeError(
      `Cannot add "${x.label}" [${x.shape}] and "${y.label}" [${y.shape}] before a norm: shapes differ`,
    );
  }
  const sum = overwrite ? y : gpu.empty(x.shape, `${x.label} + ${y.label}`);
  const out = gpu.empty(x.shape, `norm(${sum.label})`), launch = launchOf(gpu, x, bias, options);
  const statistics = gpu.empty([rows, 2], "norm statistics");
  gpu.launch(rowKernel(addKernels, columns).kernel, {
    // A buffer is not read by one name and written by another.
    buffers: { x, y: overwrite ? weight : y, weight, bias: bias ?? weight, sum, out, statistics },
    ...launch,
    constants: { ...launch.constants, IN_PLACE: overwrite },
  });
  return { sum, out, statistics };
}

/** into (+)= the gradient of `norm` for its input. */
export function normBackward(
  gpu: Gpu,
  g: Tensor,
  x: Tensor,
  weight: Tensor,
  statistics: Tensor,
  options: Omit<NormOptions, "epsilon"> & { readonly into: Tensor; readonly accumulate: boolean },
): void {
  const { rows, columns } = rowSizes(x);
  const lanes = rowLanes(gpu, options);
  gpu.launch(rowKernel(backwardKernels, columns).kernel, {
    buffers: { g, x, weight, statistics, out: options.into },
    uniforms: { rows, columns, accumulate: Number(options.accumulate) },
    constants: { LANES: lanes, CENTER: options.center },
    workgroups: rowGroups(rows, lanes),
  });
}
