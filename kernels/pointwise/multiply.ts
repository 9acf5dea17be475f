/** @file Products of tensors, element by element. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { defineRowKernel, lanesAcross, rowGroups, rowKernel, rowSizes } from "../wgsl/rows.ts";
import { snippets } from "../wgsl/snippets.ts";
import source from "./multiply.wgsl" with { type: "text" };
import rowSource from "./multiply_row.wgsl" with { type: "text" };

const kernel = composeKernel({
  name: "multiply",
  source,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { count: "u32", accumulate: "u32" },
  constants: {},
}, { snippets });
const rowKernels = defineRowKernel({
  name: "multiply_row",
  source: rowSource,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32", accumulate: "u32" },
  constants: { LANES: 64 },
});

/**
 * a · b, element by element, or into (+)= that: `b` has a's elements, or those of one of its rows, and is then repeated.
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
  const count = elementCount(a.shape), own = elementCount(b.shape), { rows, columns } = rowSizes(a);
  if (own !== count && own !== columns) {
    throw new RangeError(
      `Cannot multiply "${a.label}" [${a.shape}] by "${b.label}" [${b.shape}]: as many elements, or those of a row, are needed`,
    );
  }
  if (own === count) {
    gpu.launch(kernel, {
      buffers: { a, b, out: into },
      uniforms: { count: Math.ceil(count / 4), accumulate: Number(accumulate) },
      workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
    });
    return into;
  }
  const { kernel: rowsKernel, width } = rowKernel(rowKernels, columns),
    lanes = lanesAcross(gpu, columns / width);
  gpu.launch(rowsKernel, {
    buffers: { a, b, out: into },
    uniforms: { rows, columns, accumulate: Number(accumulate) },
    constants: { LANES: lanes },
    workgroups: rowGroups(rows, lanes),
  });
  return into;
}
