/** @file Launches the search for the largest element of each row. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import { defineRowKernel, rowKernel, rowSizes } from "../wgsl/rows.ts";
import argmaxSource from "./argmax.wgsl" with { type: "text" };

const argmaxKernels = defineRowKernel({
  name: "argmax",
  source: argmaxSource,
  buffers: { x: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32" },
  constants: {},
});

/** Index of the largest element of each row of `x` `[.., columns]`, the first of equal ones: `[rows]`. */
export function argmax(gpu: Gpu, x: Tensor): Tensor<"i32"> {
  const { rows, columns } = rowSizes(x);
  const out = gpu.empty([rows], `best of ${x.label}`, "i32");
  gpu.launch(rowKernel(argmaxKernels, columns).kernel, {
    buffers: { x, out },
    uniforms: { rows, columns },
    workgroups: groupsFor(rows),
  });
  return out;
}
