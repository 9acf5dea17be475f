/** @file Tensors: plain data that says where in GPU memory an array lies. */

import { int8Layout, toInt8 } from "../numerics/int8.ts";
import { nf4Layout, toNf4 } from "../numerics/nf4.ts";

/** What frozen weights can be kept as in fewer than 32 bits. Storage only: every kernel computes in f32. */
export type LowPrecision = "f16" | "int8" | "nf4";
/** All of them. */
export const LOW_PRECISIONS = ["f16", "int8", "nf4"] as const satisfies readonly LowPrecision[];

/** Element type of a tensor. */
export type DType = "f32" | "u32" | "i32" | LowPrecision;

/** Sizes of a tensor's axes, outermost first. `[]` is a scalar. */
export type Shape = readonly number[];

/** The host array that holds a tensor's elements. */
export interface HostArrays {
  /** 32-bit floats. */
  f32: Float32Array<ArrayBuffer>;
  /** 32-bit unsigned integers. */
  u32: Uint32Array<ArrayBuffer>;
  /** 32-bit signed integers. */
  i32: Int32Array<ArrayBuffer>;
  /** 16-bit floats. */
  f16: Float16Array<ArrayBuffer>;
  /** Words of `toInt8`, fewer than elements. */
  int8: Uint32Array<ArrayBuffer>;
  /** Words of `toNf4`, fewer than elements. */
  nf4: Uint32Array<ArrayBuffer>;
}

/** A contiguous, row-major array in GPU memory. Plain data: it owns nothing and has no methods. */
export interface Tensor<D extends DType = "f32"> {
  /** May hold other tensors too. */
  readonly buffer: GPUBuffer;
  /** Bytes before the first element; a multiple of 256, so that the tensor can be bound by itself. */
  readonly offset: number;
  /** Sizes of the axes. */
  readonly shape: Shape;
  /** Type of the elements. */
  readonly dtype: D;
  /** Shows up in errors and GPU captures, e.g. "layers.3.self_attn.q_proj.A". */
  readonly label: string;
}

/** Bytes of one element of every type of 32 bits. */
export const ELEMENT_BYTES = 4;

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of a tensor's elements, rounded up to whole words, as WebGPU copies them. */
export function byteLength({ shape, dtype }: Pick<Tensor<DType>, "shape" | "dtype">): number {
  const count = elementCount(shape);
  if (dtype === "int8") return 4 * int8Layout(count).words;
  if (dtype === "nf4") return 4 * nf4Layout(count).words;
  return 4 * (dtype === "f16" ? Math.ceil(count / 2) : count);
}

/** Entries of the host array that holds a tensor: its elements, or the words that they are quantized to. */
export function hostLength(tensor: Pick<Tensor<DType>, "shape" | "dtype">): number {
  const isQuantized = tensor.dtype === "int8" || tensor.dtype === "nf4";
  return isQuantized ? byteLength(tensor) / 4 : elementCount(tensor.shape);
}

/** Numbers rounded to low precision, as a tensor of that type is written with them. Beyond 16 bits they become infinite. */
export function lowPrecision<P extends LowPrecision>(data: Float32Array, type: P): HostArrays[P] {
  const convert: { readonly [Q in LowPrecision]: () => HostArrays[Q] } = {
    f16: () => new Float16Array(data),
    int8: () => toInt8(data),
    nf4: () => toNf4(data),
  };
  return convert[type]();
}

/** The same elements under another shape. @throws {RangeError} where the element counts differ */
export function withShape<D extends DType>(tensor: Tensor<D>, shape: Shape): Tensor<D> {
  if (elementCount(shape) !== elementCount(tensor.shape)) {
    throw new RangeError(
      `Cannot reshape "${tensor.label}" [${tensor.shape}] to [${shape}]: element counts differ`,
    );
  }
  return { ...tensor, shape };
}

/**
 * Rows `first` to `first + count − 1` of a tensor of 32-bit elements, along its first axis, as a tensor that shares its memory.
 *
 * @throws {RangeError} where they lie outside, or begin where no tensor can be bound
 */
export function rowsOf<D extends Exclude<DType, LowPrecision>>(
  tensor: Tensor<D>,
  first: number,
  count: number,
): Tensor<D> {
  const { shape: [rows, ...row], offset } = tensor;
  const begin = offset + first * elementCount(row) * ELEMENT_BYTES;
  if (!(first >= 0 && count >= 1 && first + count <= rows! && begin % ALIGNMENT === 0)) {
    throw new RangeError(
      `Cannot take ${count} rows from ${first} on of "${tensor.label}" [${tensor.shape}]: they lie outside, or do not begin at a multiple of ${ALIGNMENT} bytes`,
    );
  }
  return { ...tensor, offset: begin, shape: [count, ...row] };
}

/** Views are bound by themselves, so their offsets meet WebGPU's strictest alignment. */
const ALIGNMENT = 256;

/** Rounds up to a multiple of 256 bytes, the distance between tensors that share a buffer. */
export function alignBytes(bytes: number): number {
  return Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
}

/** Of a larger class the waste would be gigabytes where weights lie side by side. */
const MOST_WASTED = 2 ** 24;

/**
 * Bytes that a tensor of so many bytes takes, as `Memory` counts them: rounded up to one of eight classes an octave, or to
 * 16 MiB where that is less. At most an eighth is wasted, and a step's tensors meet the same buffers again.
 */
export function allocatedBytes(bytes: number): number {
  const aligned = alignBytes(bytes);
  const step = Math.min(MOST_WASTED, Math.max(ALIGNMENT, 2 ** (Math.floor(Math.log2(aligned)) - 3)));
  return Math.ceil(aligned / step) * step;
}
