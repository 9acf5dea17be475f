/** @file Products of tensors, element by element. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import source from "./multiply.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "multiply",
  source,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { count: "u32", period: "u32", accumulate: "u32" },
  constants: {},
});

/**
 * a · b, element by element, or into (+)= that: `b` has a's elements, or those of one of its rows, of a length that four divides,
 * and is then repeated.
 *
 * @throws {RangeError} where it has others
 */
export function multiply(
  gpu: Gpu,
  a: Tensor,
  b: Tensor,
  { into = gpu.empty(a.shape, `${a.label} · ${b.label}`), accumulate = false }: {
    readonly into?: Tensor;
    readonly accumulate?: boolean;
  } = {},
): Tensor {
  const count = elementCount(a.shape), period = elementCount(b.shape);
  if (period !== count && (period !== a.shape.at(-1) || period % 4 !== 0)) {
    throw new RangeError(
      `Cannot multiply "${a.label}" [${a.shape}] by "${b.label}" [${b.shape}]: as many elements, or those of a row of a ` +
        "length that four divides, are needed",
    );
  }
  gpu.launch(kernel, {
    buffers: { a, b, out: into },
    uniforms: {
      count: Math.ceil(count / 4),
      period: Math.ceil(period / 4),
      accumulate: Number(accumulate),
    },
    workgroups: groupsFor(Math.ceil(count / 4)),
  });
  return into;
}
