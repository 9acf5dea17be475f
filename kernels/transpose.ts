/** @file Writes out the transpose of a matrix. */
import type { Gpu } from "../gpu/gpu.ts";
import { defineKernel, lineOfGroups } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import source from "./transpose.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "transpose",
  source,
  buffers: { x: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32" },
  constants: {},
});

/** into = xᵀ; `into` is `[rows, columns]`, multiples of four. */
export function transpose(gpu: Gpu, x: Tensor, into: Tensor): void {
  const [columns, rows] = into.shape as [number, number];
  gpu.launch(kernel, {
    buffers: { x, out: into },
    uniforms: { rows: rows / 4, columns: columns / 4 },
    workgroups: lineOfGroups(Math.ceil(rows * columns / 1024)),
  });
}
