/** @file Launches what spreads a bias by relative position over attention scores, and gathers its gradient. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, lineOfGroups } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import source from "./relative_bias.wgsl" with { type: "text" };
import backwardSource from "./relative_bias_backward.wgsl" with { type: "text" };

const kernel = defineKernel({
  name: "relative_bias",
  source,
  buffers: { values: "read", out: "read_write" },
  uniforms: { heads: "u32", queries: "u32", keys: "u32" },
  constants: {},
});

const backwardKernel = defineKernel({
  name: "relative_bias_backward",
  source: backwardSource,
  buffers: { g: "read", out: "read_write" },
  uniforms: { heads: "u32", queries: "u32", keys: "u32", accumulate: "u32" },
  constants: {},
});

/**
 * out[h, q, k] = values[k − q + queries − 1, h], `[heads, queries, keys]`: what attention adds to its scores.
 *
 * `values` is `[queries + keys − 1, heads]`: a row for each distance of a key from a query, the farthest before it first.
 *
 * @throws {RangeError} where `values` has another number of rows
 */
export function relativeBias(gpu: Gpu, values: Tensor, queries: number, keys: number): Tensor {
  const heads = values.shape.at(-1)!;
  if (elementCount(values.shape) !== (queries + keys - 1) * heads) {
    throw new RangeError(
      `Cannot spread "${values.label}" [${values.shape}] over ${queries} queries and ${keys} keys: ` +
        `${queries + keys - 1} rows are needed`,
    );
  }
  const out = gpu.empty([heads, queries, keys], "relative bias");
  gpu.launch(kernel, {
    buffers: { values, out },
    uniforms: { heads, queries, keys },
    workgroups: lineOfGroups(heads * queries),
  });
  return out;
}

/** Gradient of `relativeBias` for its values: sums of `g` `[heads, queries, keys]` along diagonals. */
export function relativeBiasBackward(gpu: Gpu, g: Tensor, into: Tensor, accumulate: boolean): void {
  const [heads, queries, keys] = g.shape as [number, number, number];
  gpu.launch(backwardKernel, {
    buffers: { g, out: into },
    uniforms: { heads, queries, keys, accumulate: Number(accumulate) },
    workgroups: groupsFor(heads * (queries + keys - 1)),
  });
}
