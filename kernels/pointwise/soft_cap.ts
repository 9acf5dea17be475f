/** @file Launches the soft cap of logits and its gradient. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import { softBound } from "./soft_bound.ts";
import source from "./soft_cap.wgsl" with { type: "text" };

const kernel = composeKernel({
  name: "soft_cap",
  source,
  buffers: { x: "read", g: "read", out: "read_write" },
  uniforms: { count: "u32", accumulate: "u32", cap: "f32" },
  constants: { BACKWARD: false },
}, { snippets: { ...snippets, soft_bound: softBound("vec4<f32>") } });

/** cap · tanh(x / cap), elementwise: between -cap and cap, and near x where that is small. Source: Gemma Team, arXiv 2408.00118. */
export function softCap(gpu: Gpu, x: Tensor, cap: number): Tensor {
  const out = gpu.empty(x.shape, `soft cap(${x.label})`), count = elementCount(x.shape);
  gpu.launch(kernel, {
    buffers: { x, g: x, out },
    uniforms: { count, accumulate: 0, cap },
    workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
  });
  return out;
}

/** into (+)= g · (1 − tanh(x / cap)²), elementwise. */
export function softCapBackward(
  gpu: Gpu,
  x: Tensor,
  g: Tensor,
  cap: number,
  into: Tensor,
  accumulate: boolean,
): void {
  const count = elementCount(x.shape);
  gpu.launch(kernel, {
    buffers: { x, g, out: into },
    uniforms: { count, accumulate: Number(accumulate), cap },
    constants: { BACKWARD: true },
    workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
  });
}
