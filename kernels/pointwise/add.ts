/** @file Sums of tensors, of rows and of what is accumulated. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import accumulateSource from "./accumulate.wgsl" with { type: "text" };
import addSource from "./add.wgsl" with { type: "text" };
import addRowSource from "./add_row.wgsl" with { type: "text" };
import { requireSameCount } from "./same_count.ts";

const addKernel = defineKernel({
  name: "add",
  source: addSource,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { count: "u32", period: "u32", scaleA: "f32", scaleB: "f32" },
  constants: { ROW: false },
});

/** scaleA · a + scaleB · b, for tensors with the same element count. */
export function add(gpu: Gpu, a: Tensor, b: Tensor, scaleA = 1, scaleB = 1): Tensor {
  requireSameCount("add", a, b);
  const out = gpu.empty(a.shape, `${a.label} + ${b.label}`);
  const count = Math.ceil(elementCount(a.shape) / 4);
  gpu.launch(addKernel, {
    buffers: { a, b, out },
    uniforms: { count, period: count, scaleA, scaleB },
    workgroups: groupsFor(count),
  });
  return out;
}

const addRowKernel = defineKernel({
  name: "add_row",
  source: addRowSource,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { count: "u32", columns: "u32" },
  constants: {},
});

/** Adds `row` `[columns]` to every row of `x` `[.., columns]`. */
export function addRow(gpu: Gpu, x: Tensor, row: Tensor): Tensor {
  const count = elementCount(x.shape), columns = elementCount(row.shape);
  if (x.shape.at(-1) !== columns) {
    throw new RangeError(
      `Cannot add row "${row.label}" [${row.shape}] to "${x.label}" [${x.shape}]: ${
        x.shape.at(-1)
      } columns are needed`,
    );
  }
  const out = gpu.empty(x.shape, `${x.label} + ${row.label}`);
  if (columns % 4 === 0) {
    gpu.launch(addKernel, {
      buffers: { a: x, b: row, out },
      uniforms: { count: count / 4, period: columns / 4, scaleA: 1, scaleB: 1 },
      constants: { ROW: true },
      workgroups: groupsFor(count / 4),
    });
  } else {
    gpu.launch(addRowKernel, {
      buffers: { a: x, b: row, out },
      uniforms: { count, columns },
      workgroups: groupsFor(count),
    });
  }
  return out;
}

const accumulateKernel = defineKernel({
  name: "accumulate",
  source: accumulateSource,
  buffers: { x: "read", sum: "read_write" },
  uniforms: { count: "u32", scale: "f32" },
  constants: {},
});

/** target += scale · x, in place. */
export function accumulate(gpu: Gpu, target: Tensor, x: Tensor, scale = 1): void {
  requireSameCount("accumulate", target, x);
  const count = elementCount(x.shape);
  gpu.launch(accumulateKernel, {
    buffers: { x, sum: target },
    uniforms: { count, scale },
    workgroups: groupsFor(Math.ceil(count / 4)),
  });
}
