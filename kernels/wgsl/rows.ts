/** @file How row kernels share out rows, and their twins for rows of whole vectors: those load four elements at once. */
import type { Gpu } from "../../gpu/gpu.ts";
import { type Kernel, type KernelSpec, lineOfGroups } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { composeKernel, type Snippets } from "./compose.ts";
import { snippets } from "./snippets.ts";

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

/** Share of their places that lanes of a row may have nothing to do in. */
const IDLE = 0.15;

/**
 * Lanes that take a row of so many values together, neighbours taking neighbours: as many as find something to do nearly all of
 * the time, on a software adapter no more than four, since there a lane costs more than what many kernels do in it. A lane
 * then knows its row without a division by their number, which takes longer still.
 */
export function lanesAcross({ info }: Gpu, values: number): number {
  for (let lanes = info.software ? 4 : ROW_GROUP; lanes > 1; lanes /= 2) {
    if (Math.ceil(values / lanes) * lanes <= (1 + IDLE) * values) return lanes;
  }
  return 1;
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

/** Snippets of a kernel of its own, as they read in each of its twins. */
export interface RowSnippets {
  readonly single: Snippets;
  readonly fourfold: Snippets;
}

/** How a text that is written in terms of `Value` reads where a lane takes one element at once. */
const SINGLE: Snippets = {
  value: `// What a lane takes at once.
alias Value = f32;`,
  width: "const WIDTH = 1u;",
  total: `fn total(v: Value) -> f32 {
  return v;
}`,
  maximum: `fn maximum(v: Value) -> f32 {
  return v;
}`,
  element: `fn element(v: Value, i: u32) -> f32 {
  return v;
}`,
  one_at: `// 1 in the place of element i of a value.
fn one_at(i: u32) -> Value {
  return 1.0;
}`,
};

/** The same where it takes a vector of four. */
const FOURFOLD: Snippets = {
  value: `// What a lane takes at once.
alias Value = vec4<f32>;`,
  width: "const WIDTH = 4u;",
  total: `fn total(v: Value) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}`,
  maximum: `fn maximum(v: Value) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}`,
  element: `fn element(v: Value, i: u32) -> f32 {
  return v[i];
}`,
  one_at: `// 1 in the place of element i of a value.
fn one_at(i: u32) -> Value {
  return select(Value(0.0), Value(1.0), vec4(0u, 1u, 2u, 3u) == vec4(i));
}`,
};

/**
 * Declares a row kernel, whose text is written in terms of `Value` (`#use value`), `WIDTH` (`#use width`) and the
 * functions above.
 *
 * @throws {Error} as `compose` does, and where the text reads the same for vectors
 */
export function defineRowKernel<const S extends KernelSpec>(
  spec: S,
  own: RowSnippets = { single: {}, fourfold: {} },
): RowKernels<S> {
  const single = composeKernel(spec, { snippets: { ...snippets, ...SINGLE, ...own.single } });
  const fourfold = composeKernel(spec, { snippets: { ...snippets, ...FOURFOLD, ...own.fourfold } });
  if (single.spec.source === fourfold.spec.source) {
    throw new Error(`Cannot make a twin of kernel "${spec.name}" for vectors: its text has no "#use value"`);
  }
  return { single, fourfold };
}

/** The kernel for rows of `columns` elements, and how many of them a lane takes at once. */
export function rowKernel<S extends KernelSpec>(
  kernels: RowKernels<S>,
  columns: number,
): { readonly kernel: Kernel<S>; readonly width: number } {
  return columns % 4 === 0 ? { kernel: kernels.fourfold, width: 4 } : { kernel: kernels.single, width: 1 };
}
