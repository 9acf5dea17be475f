/** @file Between the references' float64 matrices and tensors. */
import type { Gpu } from "../../gpu/gpu.ts";
import { type DType, ELEMENT_BYTES, type Shape, type Tensor } from "../../gpu/tensor.ts";
import { type Matrix, toFloat32 } from "../reference/matrix.ts";
import { rotaryFrequencies } from "../reference/network.ts";

/** The matrix as a tensor, rounded to f32; `shape` where it is not `[rows, columns]`. */
export function upload(gpu: Gpu, m: Matrix, label: string, shape: Shape = [m.rows, m.columns]): Tensor {
  return gpu.upload(toFloat32(m), "f32", shape, label);
}

/** Elements `first` to `first + count - 1` of a tensor, for a look at a large one; `first` is a multiple of 64. */
export function stretchOf<D extends DType>(tensor: Tensor<D>, first: number, count: number): Tensor<D> {
  return { ...tensor, offset: tensor.offset + first * ELEMENT_BYTES, shape: [count] };
}

/** (cosine, sine) by position and pair, `[length, headSize / 2, 2]`: what rotary embedding turns heads by. */
export function uploadAngles(gpu: Gpu, length: number, headSize: number, theta: number): Tensor {
  const frequencies = rotaryFrequencies({ headSize, theta });
  const rows = Array.from(
    { length },
    (_, t) => frequencies.flatMap((f) => [Math.cos(t * f), Math.sin(t * f)]),
  );
  return gpu.upload(Float32Array.from(rows.flat()), "f32", [length, headSize / 2, 2], "angles");
}
