/** @file Between 32-bit floats and low precision: the latter is how frozen weights are kept. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type LowPrecision, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import { elementType, kernelsByType, readRows } from "../wgsl/stored.ts";
import floatSource from "./to_float.wgsl" with { type: "text" };
import halfSource from "./to_half.wgsl" with { type: "text" };

const buffers = { x: "read", out: "read_write" } as const;
const uniforms = { count: "u32" } as const;
const halfKernel = composeKernel(
  { name: "to_half", source: halfSource, buffers, uniforms, constants: {} },
  { snippets },
);
const floatKernel = kernelsByType((type: LowPrecision) => {
  const stored = { vector: true, type, count: "u.count" };
  return composeKernel({
    name: type === "f16" ? "to_float" : `to_float_${type}`,
    ...{ source: floatSource, buffers, uniforms, constants: {} },
  }, {
    snippets: {
      ...snippets,
      stored: `alias Stored = ${elementType(stored)};`,
      read: readRows("x", stored),
    },
  });
});

/**
 * x in 16-bit floats, in a fresh tensor: the nearest, ties to even, relative error up to 2^-11 from 6.1e-5 on.
 * Magnitudes of 65,520 and more become infinite.
 */
export function toHalf(gpu: Gpu, x: Tensor): Tensor<"f16"> {
  const out = gpu.empty(x.shape, `${x.label} (f16)`, "f16"), count = elementCount(x.shape);
  gpu.launch(halfKernel, {
    buffers: { x, out },
    uniforms: { count },
    workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
  });
  return out;
}

/**
 * x in 32-bit floats: exactly from 16 bits, rounded to the nearest or its neighbour where x is quantized. In `into` where
 * it is given, else in a fresh tensor.
 *
 * @throws {RangeError} where `into` has another element count
 */
export function toFloat(gpu: Gpu, x: Tensor<LowPrecision>, into?: Tensor): Tensor {
  const out = into ?? gpu.empty(x.shape, `${x.label} (f32)`), count = elementCount(x.shape);
  if (elementCount(out.shape) !== count) {
    throw new RangeError(`Cannot convert "${x.label}" [${x.shape}] into "${out.label}" [${out.shape}]`);
  }
  gpu.launch(floatKernel(x.dtype), {
    buffers: { x, out },
    uniforms: { count },
    workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
  });
  return out;
}
