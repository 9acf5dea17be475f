/** @file Small kernels of the training loop: clipping and noting losses. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import clipSource from "./clip.wgsl" with { type: "text" };
import recordSource from "./record_step.wgsl" with { type: "text" };

const clipKernel = composeKernel({
  name: "clip",
  source: clipSource,
  buffers: { squared: "read", x: "read_write" },
  uniforms: { count: "u32", limit: "f32" },
  constants: {},
}, { snippets });

/** Scales `x` in place so that its norm, whose square is `squaredNorm` `[1]`, is at most `limit`. */
export function clip(gpu: Gpu, x: Tensor, squaredNorm: Tensor, limit: number): void {
  const count = Math.ceil(elementCount(x.shape) / 4);
  gpu.launch(clipKernel, {
    buffers: { squared: squaredNorm, x },
    uniforms: { count, limit },
    workgroups: groupsToShare(gpu, count),
  });
}

const recordKernel = composeKernel({
  name: "record_step",
  source: recordSource,
  buffers: { loss: "read", squaredNorm: "read", losses: "read_write", diverged: "read_write" },
  uniforms: { slot: "u32", step: "u32" },
  constants: {},
}, { snippets });

/**
 * losses[slot] = loss, and diverged[0] = step where `loss` or `squaredNorm` is the first that is not finite.
 *
 * Found by the numbers' bits: software adapters fold `x != x` to false.
 */
export function recordStep(
  gpu: Gpu,
  tensors: {
    readonly loss: Tensor;
    readonly squaredNorm: Tensor;
    readonly losses: Tensor;
    readonly diverged: Tensor<"u32">;
  },
  at: { readonly slot: number; readonly step: number },
): void {
  gpu.launch(recordKernel, { buffers: tensors, uniforms: at, workgroups: [1] });
}
