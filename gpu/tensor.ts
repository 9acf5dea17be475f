/** @file Tensors: plain data that says where in GPU memory an array lies. */

/** Element type of a tensor. "f16" is storage only, read as pairs of 32 bits: every kernel computes in f32. */
export type DType = "f32" | "u32" | "i32" | "f16";

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

/** Bytes of one element of every type but "f16". */
export const ELEMENT_BYTES = 4;

/** Bytes of one element of a type. */
export function elementBytes(dtype: DType): number {
  return dtype === "f16" ? 2 : ELEMENT_BYTES;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of a tensor's elements, rounded up to whole words, as WebGPU copies them. */
export function byteLength({ shape, dtype }: Pick<Tensor<DType>, "shape" | "dtype">): number {
  return Math.ceil(elementCount(shape) * elementBytes(dtype) / 4) * 4;
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

/** Views are bound by themselves, so their offsets meet WebGPU's strictest alignment. */
const ALIGNMENT = 256;

/** Rounds up to a multiple of 256 bytes, the distance between tensors that share a buffer. */
export function alignBytes(bytes: number): number {
  return Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
}

/**
 * Bytes that a tensor of so many bytes takes, as `Memory` counts them: rounded up to one of eight classes an octave. At
 * most an eighth is wasted, and a step's tensors meet the same buffers again.
 */
export function allocatedBytes(bytes: number): number {
  const aligned = alignBytes(bytes);
  const step = Math.max(ALIGNMENT, 2 ** (Math.floor(Math.log2(aligned)) - 3));
  return Math.ceil(aligned / step) * step;
}
