/** @file Sums over a whole tensor and over its rows. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsFor } from "../wgsl/groups.ts";
import { defineRowKernel, rowKernel, rowSizes } from "../wgsl/rows.ts";
import { snippets } from "../wgsl/snippets.ts";
import columnSource from "./column_sum.wgsl" with { type: "text" };
import dotSource from "./dot_parts.wgsl" with { type: "text" };
import { sumParts } from "./sum_parts.ts";

const dotKernel = composeKernel({
  name: "dot_parts",
  source: dotSource,
  buffers: { a: "read", b: "read", parts: "read_write" },
  uniforms: { count: "u32", stretch: "u32" },
  constants: { SQUARE: false },
  workgroupBytes: () => 64 * 4,
}, { snippets });

/** Most partial sums of one reduction: the last lane adds them one by one. */
const MAX_PARTS = 256;
/** Fewest vectors of a part: a lane should have more to read than the group has to add up. */
const MIN_STRETCH = 512;

/** into[0] = scale · Σ a b over all elements, `into` `[1]`. */
export function dotInto(gpu: Gpu, a: Tensor, b: Tensor, into: Tensor, scale = 1): void {
  const count = elementCount(a.shape);
  if (count !== elementCount(b.shape)) {
    throw new RangeError(
      `Cannot take the dot product of "${a.label}" [${a.shape}] and "${b.label}" [${b.shape}]`,
    );
  }
  const vectors = Math.ceil(count / 4);
  const stretch = Math.max(MIN_STRETCH, Math.ceil(vectors / MAX_PARTS / 64) * 64);
  const parts = Math.ceil(vectors / stretch);
  using _ = gpu.scope("dot parts", "scratch");
  const partial = gpu.empty([parts], "dot parts");
  gpu.launch(dotKernel, {
    buffers: { a, b, parts: partial },
    uniforms: { count, stretch },
    constants: { SQUARE: a.buffer === b.buffer && a.offset === b.offset },
    workgroups: [parts],
  });
  sumParts(gpu, partial, into, { count: 1, parts, scale, accumulate: false });
}

/** Σ a b over all elements, as a scalar `[1]`. */
export function dot(gpu: Gpu, a: Tensor, b: Tensor): Tensor {
  const out = gpu.empty([1], `${a.label} . ${b.label}`);
  dotInto(gpu, a, b, out);
  return out;
}

const columnKernels = defineRowKernel({
  name: "column_sum",
  source: columnSource,
  buffers: { g: "read", x: "read", statistics: "read", out: "read_write" },
  uniforms: { rows: "u32", columns: "u32", chunk: "u32", chunks: "u32" },
  constants: { NORMALIZED: false },
});

/**
 * into (+)= scale · Σ over rows of `g` `[.., columns]`; with `normalized`, of g · (x − mean) / deviation.
 *
 * These are the gradients of a bias and of a norm's weight.
 */
export function columnSum(
  gpu: Gpu,
  g: Tensor,
  options: {
    readonly into: Tensor;
    readonly accumulate: boolean;
    readonly scale?: number;
    readonly normalized?: { readonly x: Tensor; readonly statistics: Tensor };
  },
): void {
  const { rows, columns } = rowSizes(g);
  const chunk = Math.max(16, Math.ceil(rows / 64)), chunks = Math.ceil(rows / chunk);
  using _ = gpu.scope("column parts", "scratch");
  const parts = gpu.empty([chunks, columns], "column parts");
  const { kernel, width } = rowKernel(columnKernels, columns);
  gpu.launch(kernel, {
    buffers: {
      g,
      x: options.normalized?.x ?? g,
      statistics: options.normalized?.statistics ?? g,
      out: parts,
    },
    uniforms: { rows, columns: columns / width, chunk, chunks },
    constants: { NORMALIZED: options.normalized !== undefined },
    workgroups: groupsFor(chunks * columns / width),
  });
  sumParts(gpu, parts, options.into, {
    count: columns,
    parts: chunks,
    scale: options.scale ?? 1,
    accumulate: options.accumulate,
  });
}

/** into[0] = scale · Σ x over all elements. */
export function sumInto(gpu: Gpu, x: Tensor, into: Tensor, scale = 1): void {
  // The sum of a column is the sum of all.
  columnSum(gpu, { ...x, shape: [elementCount(x.shape), 1] }, { into, accumulate: false, scale });
}
