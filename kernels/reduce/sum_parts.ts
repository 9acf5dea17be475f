/** @file Adds up partial results: the second half of every split reduction. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import source from "./sum_parts.wgsl" with { type: "text" };

const kernel = composeKernel({
  name: "sum_parts",
  source,
  buffers: { parts: "read", out: "read_write" },
  uniforms: { count: "u32", parts: "u32", scale: "f32", accumulate: "u32" },
  constants: {},
}, { snippets });

/** into (+)= scale · Σ over the first axis of `parts` `[parts, count]`, in order. */
export function sumParts(
  gpu: Gpu,
  parts: Tensor,
  into: Tensor,
  sizes: {
    readonly count: number;
    readonly parts: number;
    readonly scale: number;
    readonly accumulate: boolean;
  },
): void {
  gpu.launch(kernel, {
    buffers: { parts, out: into },
    uniforms: { ...sizes, accumulate: Number(sizes.accumulate) },
    workgroups: groupsToShare(gpu, Math.ceil(sizes.count / 4)),
  });
}
