/** @file How row kernels share out rows, and their twins for rows of whole vectors: those load four elements at once. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, type Kernel, type KernelSpec, lineOfGroups } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";

/** Lanes of a workgroup of every row kernel. */
export const ROW_GROUP = 64;

/** What a row kernel may be told; absent, the adapter's kind decides. */
export interface RowOptions {
  /** Lanes that share a row: a power of two from 1 to 64. */
  readonly lanes?: number;
}

/**
 * Lanes a row: on a GPU neighbours should read neighbouring elements; a software adapter gains nothing from that and
 * pays for every barrier.
 */
export function rowLanes(gpu: Gpu, options: RowOptions): number {
  const lanes = options.lanes ?? (gpu.info.software ? 1 : 32);
  if (!(Number.isInteger(Math.log2(lanes)) && lanes >= 1 && lanes <= ROW_GROUP)) {
    throw new RangeError(
      `Cannot share a row among ${lanes} lanes: a power of two from 1 to ${ROW_GROUP} is needed`,
    );
  }
  return lanes;
}

/** Workgroups for `rows` rows. */
export function rowGroups(rows: number, lanes: number): readonly [number, number] {
  return lineOfGroups(Math.ceil(rows * lanes / ROW_GROUP));
}

/** Rows and columns of a tensor whose last axis is a row. */
export function rowSizes(x: Tensor): { readonly rows: number; readonly columns: number } {
  const columns = x.shape.at(-1) ?? 1;
  return { rows: x.shape.slice(0, -1).reduce((product, size) => product * size, 1), columns };
}

/** A kernel for rows of any length, and its twin for lengths that four divides. */
export interface RowKernels<S extends KernelSpec> {
  readonly single: Kernel<S>;
  readonly fourfold: Kernel<S>;
}

/** The lines of a row kernel that say how much a lane takes at once, and how they read for vectors of four. */
const FOURFOLD: readonly (readonly [string, string])[] = [
  ["alias Value = f32;", "alias Value = vec4<f32>;"],
  ["const WIDTH = 1u;", "const WIDTH = 4u;"],
  ["alias Words = u32;", "alias Words = vec4<u32>;"],
  [
    "return unpack2x16float(weight[i / 2u])[i % 2u];",
    "let words = select(weight[i / 2u].xy, weight[i / 2u].zw, i % 2u == 1u);\n    return vec4(unpack2x16float(words.x), unpack2x16float(words.y));",
  ],
  [
    "fn total(v: Value) -> f32 {\n  return v;",
    "fn total(v: Value) -> f32 {\n  return (v.x + v.y) + (v.z + v.w);",
  ],
  [
    "fn most(v: Value) -> f32 {\n  return v;",
    "fn most(v: Value) -> f32 {\n  return max(max(v.x, v.y), max(v.z, v.w));",
  ],
  [
    "fn element(v: Value, i: u32) -> f32 {\n  return v;",
    "fn element(v: Value, i: u32) -> f32 {\n  return v[i];",
  ],
  [
    "fn one_at(i: u32) -> Value {\n  return 1.0;",
    "fn one_at(i: u32) -> Value {\n  return select(Value(0.0), Value(1.0), vec4(0u, 1u, 2u, 3u) == vec4(i));",
  ],
];

/** Declares a row kernel whose text is written in terms of `Value` and `WIDTH`, one element at a time. */
export function defineRowKernel<const S extends KernelSpec>(spec: S): RowKernels<S> {
  const source = FOURFOLD.reduce((text, [single, fourfold]) => text.replace(single, fourfold), spec.source);
  return { single: defineKernel(spec), fourfold: defineKernel({ ...spec, source }) };
}

/** The kernel for rows of `columns` elements, and how many of them a lane takes at once. */
export function rowKernel<S extends KernelSpec>(
  kernels: RowKernels<S>,
  columns: number,
): { readonly kernel: Kernel<S>; readonly width: number } {
  return columns % 4 === 0 ? { kernel: kernels.fourfold, width: 4 } : { kernel: kernels.single, width: 1 };
}
