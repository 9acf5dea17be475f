/** @file Tensors: plain data that says where in GPU memory an array lies. */

/** Element type of a tensor. Every kernel accumulates in f32. */
export type DType = "f32" | "u32" | "i32";

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

/** Bytes of one element: all types are 4 bytes wide. */
export const ELEMENT_BYTES = 4;

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of a tensor's elements. */
export function byteLength(tensor: Tensor<DType>): number {
  return elementCount(tensor.shape) * ELEMENT_BYTES;
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
