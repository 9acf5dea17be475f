/** @file Adds up partial results: the second half of every split reduction. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, lineOfGroups } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import source from "./sum_parts.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "sum_parts",
  source,
  buffers: { parts: "read", out: "read_write" },
  uniforms: { count: "u32", parts: "u32", scale: "f32", accumulate: "u32" },
  constants: {},
});

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
    workgroups: lineOfGroups(Math.ceil(sizes.count / 256)),
  });
}
