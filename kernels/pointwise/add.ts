/** @file Sums of tensors, of rows and of what is accumulated. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { defineRowKernel, lanesAcross, rowGroups, rowKernel, rowSizes } from "../wgsl/rows.ts";
import { snippets } from "../wgsl/snippets.ts";
import accumulateRowSource from "./accumulate_row.wgsl" with { type: "text" };
import accumulateSource from "./accumulate.wgsl" with { type: "text" };
import addSource from "./add.wgsl" with { type: "text" };
import addRowSource from "./add_row.wgsl" with { type: "text" };
import { requireSameCount } from "./same_count.ts";

const addKernel = composeKernel({
  name: "add",
  source: addSource,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { count: "u32", scaleA: "f32", scaleB: "f32" },
  constants: {},
}, { snippets });

/** scaleA · a + scaleB · b, for tensors with the same element count. */
export function add(gpu: Gpu, a: Tensor, b: Tensor, scaleA = 1, scaleB = 1): Tensor {
  requireSameCount("add", a, b);
  const out = gpu.empty(a.shape, `${a.label} + ${b.label}`);
  const count = Math.ceil(elementCount(a.shape) / 4);
  gpu.launch(addKernel, {
    buffers: { a, b, out },
    uniforms: { count, scaleA, scaleB },
    workgroups: groupsToShare(gpu, count),
  });
  return out;
}

const addRowKernels = defineRowKernel({
  name: "add_row",
  source: addRowSource,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32" },
  constants: { LANES: 64 },
});

const accumulateRowKernels = defineRowKernel({
  name: "accumulate_row",
  source: accumulateRowSource,
  buffers: { b: "read", x: "read_write" },
  uniforms: { rows: "u32", columns: "u32" },
  constants: { LANES: 64 },
});

/** Adds `row` `[columns]` to every row of `x` `[.., columns]`. @throws {RangeError} where it has other columns */
export function addRow(gpu: Gpu, x: Tensor, row: Tensor): Tensor {
  const { columns, launch } = sharedRows(gpu, x, row);
  const out = gpu.empty(x.shape, `${x.label} + ${row.label}`);
  gpu.launch(rowKernel(addRowKernels, columns).kernel, { ...launch, buffers: { a: x, b: row, out } });
  return out;
}

/** The same in the place of `x`. @throws {RangeError} as `addRow` does */
export function accumulateRow(gpu: Gpu, x: Tensor, row: Tensor): void {
  const { columns, launch } = sharedRows(gpu, x, row);
  gpu.launch(rowKernel(accumulateRowKernels, columns).kernel, { ...launch, buffers: { b: row, x } });
}

function sharedRows(gpu: Gpu, x: Tensor, row: Tensor) {
  const { rows, columns } = rowSizes(x);
  if (elementCount(row.shape) !== columns) {
    throw new RangeError(
      `Cannot add row "${row.label}" [${row.shape}] to "${x.label}" [${x.shape}]: ${columns} columns are needed`,
    );
  }
  const lanes = lanesAcross(gpu, columns % 4 === 0 ? columns / 4 : columns);
  return {
    columns,
    launch: {
      uniforms: { rows, columns },
      constants: { LANES: lanes },
      workgroups: rowGroups(rows, lanes),
    },
  };
}

const accumulateKernel = composeKernel({
  name: "accumulate",
  source: accumulateSource,
  buffers: { x: "read", sum: "read_write" },
  uniforms: { count: "u32", scale: "f32" },
  constants: {},
}, { snippets });

/** target += scale · x, in place. */
export function accumulate(gpu: Gpu, target: Tensor, x: Tensor, scale = 1): void {
  requireSameCount("accumulate", target, x);
  const count = elementCount(x.shape);
  gpu.launch(accumulateKernel, {
    buffers: { x, sum: target },
    uniforms: { count, scale },
    workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
  });
}
