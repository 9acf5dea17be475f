/** @file A plain step along a direction. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import source from "./sgd.wgsl" with { type: "text" };

const kernel = composeKernel({
  name: "sgd",
  source,
  buffers: { g: "read", p: "read_write" },
  uniforms: { count: "u32", keep: "f32", rate: "f32" },
  constants: {},
}, { snippets });

/** p ← keep · p − rate · g, in place; both have the same element count. */
export function sgdUpdate(gpu: Gpu, p: Tensor, g: Tensor, rate: number, keep = 1): void {
  const count = Math.ceil(elementCount(p.shape) / 4);
  gpu.launch(kernel, {
    buffers: { g, p },
    uniforms: { count, keep, rate },
    workgroups: groupsToShare(gpu, count),
  });
}
