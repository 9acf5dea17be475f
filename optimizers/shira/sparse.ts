/** @file Sparse additions to weights: which entries they have, their products, and their gradients. */
import { isLowPrecision, type Tape, type Var } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { matmul, toFloat } from "../../kernels/mod.ts";
import { groupsFor } from "../../kernels/wgsl/groups.ts";
import type { TargetModule } from "../../models/model.ts";
import type { Random } from "../../numerics/random.ts";
import gatherSource from "./sparse_gather.wgsl" with { type: "text" };
import gradientSource from "./sparse_gradient.wgsl" with { type: "text" };
import rowsSource from "./sparse_rows.wgsl" with { type: "text" };
import scatterSource from "./sparse_scatter.wgsl" with { type: "text" };

const rowsKernel = defineKernel({
  name: "sparse_rows",
  source: rowsSource,
  buffers: { table: "read", values: "read", x: "read", y: "read_write" },
  uniforms: {
    rows: "u32",
    lines: "u32",
    width: "u32",
    startsAt: "u32",
    othersAt: "u32",
    valuesAt: "u32",
  },
  constants: { INDIRECT: false },
});
const gradientKernel = defineKernel({
  name: "sparse_gradient",
  source: gradientSource,
  buffers: { table: "read", g: "read", x: "read", out: "read_write" },
  uniforms: {
    entries: "u32",
    rows: "u32",
    widthG: "u32",
    widthX: "u32",
    rowsAt: "u32",
    columnsAt: "u32",
    accumulate: "u32",
  },
  constants: {},
});
const gatherKernel = defineKernel({
  name: "sparse_gather",
  source: gatherSource,
  buffers: { table: "read", whole: "read", out: "read_write" },
  uniforms: { entries: "u32", columns: "u32", rowsAt: "u32", columnsAt: "u32", accumulate: "u32" },
  constants: {},
});
const scatterKernel = defineKernel({
  name: "sparse_scatter",
  source: scatterSource,
  buffers: { table: "read", values: "read", out: "read_write" },
  uniforms: { entries: "u32", columns: "u32", rowsAt: "u32", columnsAt: "u32" },
  constants: {},
});

interface Size {
  /** Rows of W. */
  readonly out: number;
  /** Columns of W. */
  readonly in: number;
}

/** `count` places of an `[out, in]` matrix, drawn without replacement (Floyd), row by row; all places where there are no more. */
export function drawSupport(random: Random, { out, in: columns }: Size, count: number): Uint32Array {
  const all = out * columns;
  if (count >= all) return Uint32Array.from({ length: all }, (_, i) => i);
  const bits = random.integers(count, 2 ** 32), chosen = new Set<number>();
  for (let i = 0; i < count; i++) {
    const last = all - count + i, drawn = Math.floor(bits[i]! / 2 ** 32 * (last + 1));
    chosen.add(chosen.has(drawn) ? last : drawn);
  }
  return Uint32Array.from(chosen).sort();
}

/** Where the entries of a sparse matrix lie, on the GPU. */
export interface Support extends Size {
  readonly entries: number;
  readonly table: Tensor<"u32">;
}

/** Words of a support's table. */
export function supportWords({ out, in: columns }: Size, entries: number): number {
  return out + 1 + columns + 1 + 4 * entries;
}

/** Where the parts of a table begin: first entries of rows, columns and rows of entries; and column by column. */
function partsOf({ out, in: columns, entries }: Size & { readonly entries: number }) {
  const columnsAt = out + 1, rowsAt = columnsAt + entries, startsAt = rowsAt + entries;
  const othersAt = startsAt + columns + 1;
  return { columnsAt, rowsAt, startsAt, othersAt, valuesAt: othersAt + entries };
}

/** Uploads the table of places that are sorted, row by row, into the caller's scope. */
export function uploadSupport(gpu: Gpu, size: Size, places: Uint32Array, label: string): Support {
  const { out, in: columns } = size, entries = places.length;
  const table = new Uint32Array(supportWords(size, entries)), parts = partsOf({ ...size, entries });
  const byRow = new Uint32Array(out + 1), byColumn = new Uint32Array(columns + 1);
  places.forEach((place, e) => {
    const row = Math.floor(place / columns), column = place % columns;
    table[parts.columnsAt + e] = column;
    table[parts.rowsAt + e] = row;
    byRow[row + 1]!++;
    byColumn[column + 1]!++;
  });
  for (let i = 0; i < out; i++) byRow[i + 1]! += byRow[i]!;
  for (let j = 0; j < columns; j++) byColumn[j + 1]! += byColumn[j]!;
  table.set(byRow);
  table.set(byColumn, parts.startsAt);
  places.forEach((place, e) => {
    const at = byColumn[place % columns]!++;
    table[parts.othersAt + at] = Math.floor(place / columns);
    table[parts.valuesAt + at] = e;
  });
  return { ...size, entries, table: gpu.upload(table, "u32", [table.length], label) };
}

/** y += x Sᵀ, or with `turned` y += x S. */
export function addSparse(
  gpu: Gpu,
  support: Support,
  values: Tensor,
  x: Tensor,
  y: Tensor,
  turned = false,
): void {
  const parts = partsOf(support), { table } = support;
  const lines = turned ? support.in : support.out, width = turned ? support.out : support.in;
  const rows = elementCount(x.shape) / width;
  gpu.launch(rowsKernel, {
    buffers: { table, values, x, y },
    uniforms: {
      rows,
      lines,
      width,
      startsAt: turned ? parts.startsAt : 0,
      othersAt: turned ? parts.othersAt : parts.columnsAt,
      valuesAt: parts.valuesAt,
    },
    constants: { INDIRECT: turned },
    workgroups: groupsFor(lines * Math.ceil(rows / 4)),
  });
}

/** The entries of gᵀ x. */
export function sparseGradient(
  gpu: Gpu,
  support: Support,
  g: Tensor,
  x: Tensor,
  { into, accumulate }: { readonly into: Tensor; readonly accumulate: boolean },
): void {
  const { columnsAt, rowsAt } = partsOf(support), { entries, table } = support;
  gpu.launch(gradientKernel, {
    buffers: { table, g, x, out: into },
    uniforms: {
      entries,
      rows: elementCount(x.shape) / support.in,
      widthG: support.out,
      widthX: support.in,
      rowsAt,
      columnsAt,
      accumulate: Number(accumulate),
    },
    workgroups: groupsFor(entries),
  });
}

/** The entries of `whole`, `[out, in]`. */
export function gatherSparse(
  gpu: Gpu,
  support: Support,
  whole: Tensor,
  { into, accumulate }: { readonly into: Tensor; readonly accumulate: boolean },
): void {
  const { columnsAt, rowsAt } = partsOf(support), { entries, table } = support;
  gpu.launch(gatherKernel, {
    buffers: { table, whole, out: into },
    uniforms: { entries, columns: support.in, rowsAt, columnsAt, accumulate: Number(accumulate) },
    workgroups: groupsFor(entries),
  });
}

/** W += S. */
export function scatterSparse(gpu: Gpu, support: Support, values: Tensor, out: Tensor): void {
  const { columnsAt, rowsAt } = partsOf(support), { entries, table } = support;
  gpu.launch(scatterKernel, {
    buffers: { table, values, out },
    uniforms: { entries, columns: support.in, rowsAt, columnsAt },
    workgroups: groupsFor(entries),
  });
}

/** Puts W + S into `out`, `[out, in]`. */
export function denseSum(
  gpu: Gpu,
  support: Support,
  { weight }: TargetModule,
  values: Tensor,
  out: Tensor,
): Tensor {
  if (isLowPrecision(weight)) toFloat(gpu, weight.value, out);
  else gpu.copy(weight.value, out);
  scatterSparse(gpu, support, values, out);
  return out;
}

/** What products with W + S read where that is dense. */
export interface DenseSum {
  /** W + S, `[out, in]`, which stays until the backward pass. */
  readonly sum: Tensor;
  /** Room for the gradient of W + S while the backward pass is at this target module. */
  readonly gradient: Tensor;
}

/** x (W + S)ᵀ on the tape; gradients of x and of S's entries. Products are dense where `dense` is given. */
export function sparseLinear(
  tape: Tape,
  x: Var,
  { weight }: TargetModule,
  values: Var,
  { support, dense }: { readonly support: Support; readonly dense: DenseSum | null },
): Var {
  const { gpu } = tape, by = dense?.sum ?? weight.value;
  const output = matmul(gpu, x.value, by, { transposeB: true });
  if (!dense) addSparse(gpu, support, values.value, x.value, output);
  return tape.record({
    name: "sparse linear",
    overwritable: true,
    inputs: [x, values],
    keeps: { x: x.value, values: values.value },
    output,
    backward(gradient, inputs, { x, values }) {
      if (inputs.wanted(0)) {
        const target = inputs.target(0);
        matmul(gpu, gradient, by, target);
        if (!dense) addSparse(gpu, support, values, gradient, target.into, true);
      }
      if (!inputs.wanted(1)) return;
      if (!dense) {
        sparseGradient(gpu, support, gradient, x, inputs.target(1));
        return;
      }
      matmul(gpu, gradient, x, { transposeA: true, into: dense.gradient });
      gatherSparse(gpu, support, dense.gradient, inputs.target(1));
    },
  });
}
