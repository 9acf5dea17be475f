/** @file A plain step along a direction. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import source from "./sgd.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "sgd",
  source,
  buffers: { g: "read", p: "read_write" },
  uniforms: { count: "u32", keep: "f32", rate: "f32" },
  constants: {},
});

/** p ← keep · p − rate · g, in place; both have the same element count. */
export function sgdUpdate(gpu: Gpu, p: Tensor, g: Tensor, rate: number, keep = 1): void {
  const count = Math.ceil(elementCount(p.shape) / 4);
  gpu.launch(kernel, { buffers: { g, p }, uniforms: { count, keep, rate }, workgroups: groupsFor(count) });
}
