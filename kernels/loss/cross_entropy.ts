/** @file Cross entropy of rows of logits against one wanted class each. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { sumInto } from "../reduce/reduce.ts";
import {
  defineRowKernel,
  lanesAcross,
  rowGroups,
  rowKernel,
  rowLanes,
  type RowOptions,
  rowSizes,
} from "../wgsl/rows.ts";
import source from "./cross_entropy.wgsl" with { type: "text" };
import backwardSource from "./cross_entropy_backward.wgsl" with { type: "text" };

const kernels = defineRowKernel({
  name: "cross_entropy",
  source,
  buffers: { x: "read", targets: "read", losses: "read_write", normalizers: "read_write" },
  uniforms: { rows: "u32", columns: "u32" },
  constants: { LANES: 1 },
  workgroupBytes: () => 64 * 4,
});

const backwardKernels = defineRowKernel({
  name: "cross_entropy_backward",
  source: backwardSource,
  buffers: { x: "read", targets: "read", normalizers: "read", g: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32", scale: "f32" },
  constants: { LANES: 64 },
});

/**
 * Σ over rows of −log softmax(logits)[target], divided by `count`, as a scalar `[1]`.
 *
 * Rows with a negative target (IGNORE) count as 0. Targets must be below the number of columns: they are host data and
 * checked there. `normalizers` `[rows, 2]` is what the backward pass needs.
 */
export function crossEntropy(
  gpu: Gpu,
  logits: Tensor,
  targets: Tensor<"i32">,
  count: number,
  options: RowOptions = {},
): { readonly loss: Tensor; readonly normalizers: Tensor } {
  const losses = gpu.empty([rowSizes(logits).rows], "row losses");
  const normalizers = rowLosses(gpu, logits, targets, losses, options);
  return { loss: sumOfLosses(gpu, losses, count), normalizers };
}

/**
 * losses[r] = −log softmax(logits[r])[target], `[rows]`; 0 where the target is negative. Returns what the backward pass
 * needs, `[rows, 2]`. A row's loss does not depend on the other rows.
 */
export function rowLosses(
  gpu: Gpu,
  logits: Tensor,
  targets: Tensor<"i32">,
  losses: Tensor,
  options: RowOptions = {},
): Tensor {
  const { rows, columns } = rowSizes(logits);
  if (elementCount(targets.shape) !== rows) {
    throw new RangeError(
      `Cannot score "${logits.label}" [${logits.shape}] against ${elementCount(targets.shape)} targets`,
    );
  }
  const lanes = rowLanes(gpu, options);
  const normalizers = gpu.empty([rows, 2], "normalizers");
  gpu.launch(rowKernel(kernels, columns).kernel, {
    buffers: { x: logits, targets, losses, normalizers },
    uniforms: { rows, columns },
    constants: { LANES: lanes },
    workgroups: rowGroups(rows, lanes),
  });
  return normalizers;
}

/** Σ losses / count, `[1]`. */
export function sumOfLosses(gpu: Gpu, losses: Tensor, count: number): Tensor {
  const loss = gpu.empty([1], "loss");
  sumInto(gpu, losses, loss, 1 / count);
  return loss;
}

/** Gradient of `crossEntropy` for the logits, times the scalar `g`. */
export function crossEntropyBackward(
  gpu: Gpu,
  logits: Tensor,
  targets: Tensor<"i32">,
  normalizers: Tensor,
  count: number,
  g: Tensor,
): Tensor {
  const out = gpu.empty(logits.shape, "d logits");
  const { rows, columns } = rowSizes(logits);
  const { kernel, width } = rowKernel(backwardKernels, columns), lanes = lanesAcross(gpu, columns / width);
  gpu.launch(kernel, {
    buffers: { x: logits, targets, normalizers, g, out },
    uniforms: { rows, columns, scale: 1 / count },
    constants: { LANES: lanes },
    workgroups: rowGroups(rows, lanes),
  });
  return out;
}
