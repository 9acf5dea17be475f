/** @file Launches what keeps some rows of a matrix. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import source from "./keep_rows.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "keep_rows",
  source,
  buffers: { x: "read", by: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32" },
  constants: {},
});

/**
 * Rows of x where the same row of `by` has an entry other than 0, and zeros elsewhere, of x's shape in the caller's scope.
 *
 * @param x `[.., columns]`
 * @throws {RangeError} where `by` is of another shape
 */
export function keepRows(gpu: Gpu, x: Tensor, by: Tensor): Tensor {
  if (String(by.shape) !== String(x.shape)) {
    throw new RangeError(`Cannot keep rows of [${x.shape}] by [${by.shape}]: their shapes differ`);
  }
  const columns = x.shape.at(-1)!, rows = elementCount(x.shape) / columns;
  const out = gpu.empty(x.shape, `kept rows of ${x.label}`);
  gpu.launch(kernel, { buffers: { x, by, out }, uniforms: { rows, columns }, workgroups: groupsFor(rows) });
  return out;
}
