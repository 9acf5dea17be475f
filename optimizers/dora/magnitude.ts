/** @file Weights as directions of rows times magnitudes: norms of rows, and what is rescaled by them. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { sumParts } from "../../kernels/mod.ts";
import { composeKernel, wgsl } from "../../kernels/wgsl/compose.ts";
import {
  elementType,
  kernelsByType,
  readElements,
  readRows,
  type StoredType,
} from "../../kernels/wgsl/stored.ts";
import { groupsFor } from "../../kernels/wgsl/groups.ts";
import {
  defineRowKernel,
  rowGroups,
  rowKernel,
  rowLanes,
  type RowOptions,
  rowSizes,
} from "../../kernels/wgsl/rows.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import source from "./magnitude.wgsl" with { type: "text" };
import backwardSource from "./magnitude_backward.wgsl" with { type: "text" };
import changeSource from "./magnitude_change.wgsl" with { type: "text" };
import normsSource from "./row_norms.wgsl" with { type: "text" };

const normsKernels = kernelsByType((type) => {
  const twin = (vector: boolean) => {
    const stored = { vector, type, count: "u.rows * u.columns" };
    return {
      stored: `alias Stored = ${elementType(stored)};`,
      read: wgsl`
        ${vector ? readRows("weight", stored) : readElements("weight", stored)}

        fn weight_at(i: u32) -> Value {
          return ${vector ? "weight_4(i * 4u, 0u)" : "weight_1(i)"};
        }
      `,
    };
  };
  return defineRowKernel({
    name: type === "f32" ? "row_norms" : `row_norms_${type}`,
    source: normsSource,
    buffers: { weight: "read", a: "read", b: "read", out: "read_write" },
    uniforms: { rows: "u32", columns: "u32", rank: "u32", scale: "f32" },
    constants: { LANES: 1 },
    workgroupBytes: () => 64 * 16,
  }, { single: twin(false), fourfold: twin(true) });
});
const scaleKernels = defineRowKernel({
  name: "magnitude",
  source,
  buffers: { x: "read", magnitude: "read", norms: "read", out: "read_write" },
  uniforms: {
    magnitudes: "u32",
    apart: "u32",
    stride: "u32",
    length: "u32",
    chunk: "u32",
    accumulate: "u32",
  },
  constants: {},
});
const backwardKernels = defineRowKernel({
  name: "magnitude_backward",
  source: backwardSource,
  buffers: {
    g: "read",
    x: "read",
    magnitude: "read",
    norms: "read",
    xGradient: "read_write",
    parts: "read_write",
  },
  uniforms: { rows: "u32", columns: "u32", chunk: "u32", chunks: "u32", accumulate: "u32" },
  constants: {},
});
const changeKernel = composeKernel({
  name: "magnitude_change",
  source: changeSource,
  buffers: {
    weight: "read",
    change: "read",
    magnitude: "read",
    magnitudeChange: "read",
    norms: "read",
    out: "read_write",
  },
  uniforms: { rows: "u32", columns: "u32" },
  constants: { LANES: 1 },
  workgroupBytes: () => 64 * 4,
}, { snippets });

/** Rows of a matrix that one lane of `row_norms` takes. */
const NORM_ROWS = 4;
/** Values along a column or row that a lane takes. */
const CHUNK = 16;

/** A magnitude for each row of a weight, and the norms that its rows have without it, both `[out]`. */
export interface Magnitudes {
  readonly magnitude: Tensor;
  readonly norms: Tensor;
}

/**
 * into[o] = |W_o + scale · B_o A|: norms of the rows of an adapted weight, of which nothing else is stored. W is
 * `[out, in]`, kept in whatever type, A `[rank, in]`, B `[out, rank]`, `into` `[out]`.
 *
 * The sum is squared as it is, not expanded into norms and products of its parts, which would lose what cancels.
 */
export function rowNorms(
  gpu: Gpu,
  weight: Tensor<StoredType>,
  low: { readonly a: Tensor; readonly b: Tensor; readonly scale: number },
  into: Tensor,
  options: RowOptions = {},
): void {
  const [rows, columns] = weight.shape as [number, number], rank = low.a.shape[0]!;
  if (
    low.a.shape[1] !== columns || low.b.shape[0] !== rows || low.b.shape[1] !== rank ||
    elementCount(into.shape) !== rows
  ) {
    throw new RangeError(
      `Cannot take row norms of "${weight.label}" [${weight.shape}] with "${low.b.label}" [${low.b.shape}] and "${low.a.label}" [${low.a.shape}] into [${into.shape}]`,
    );
  }
  const lanes = rowLanes(gpu, options);
  gpu.launch(rowKernel(normsKernels(weight.dtype), columns).kernel, {
    buffers: { weight, a: low.a, b: low.b, out: into },
    uniforms: { rows, columns, rank, scale: low.scale },
    constants: { LANES: lanes },
    workgroups: rowGroups(Math.ceil(rows / NORM_ROWS), lanes),
  });
}

/** x · magnitude / norm, for each column of x `[.., out]`; 0 where the norm is 0. */
export function scaleColumns(
  gpu: Gpu,
  x: Tensor,
  by: Magnitudes,
  to?: { readonly into: Tensor; readonly accumulate: boolean },
): Tensor {
  const { rows, columns } = magnitudeSizes(x, by, x.shape.at(-1)!);
  const { into = gpu.empty(x.shape, `${x.label} rescaled`), accumulate = false } = to ?? {};
  const { kernel, width } = rowKernel(scaleKernels, columns), magnitudes = columns / width;
  gpu.launch(kernel, {
    buffers: { x, ...by, out: into },
    uniforms: {
      magnitudes,
      apart: 1,
      stride: magnitudes,
      length: rows,
      chunk: CHUNK,
      accumulate: Number(accumulate),
    },
    workgroups: groupsFor(magnitudes * Math.ceil(rows / CHUNK)),
  });
  return into;
}

/** x · magnitude / norm, for each row of x `[out, in]`; 0 where the norm is 0. */
export function scaleRows(gpu: Gpu, x: Tensor, by: Magnitudes): Tensor {
  const { rows, columns } = magnitudeSizes(x, by, x.shape[0]!);
  const out = gpu.empty(x.shape, `${x.label} rescaled`);
  gpu.launch(scaleKernels.single, {
    buffers: { x, ...by, out },
    uniforms: { magnitudes: rows, apart: columns, stride: 1, length: columns, chunk: CHUNK, accumulate: 0 },
    workgroups: groupsFor(rows * Math.ceil(columns / CHUNK)),
  });
  return out;
}

/**
 * Gradients of `scaleColumns` by x and by the magnitudes, at constant norms. `g` is the gradient of its result. Where x's
 * is not wanted it goes to scratch.
 */
export function scaleColumnsBackward(
  gpu: Gpu,
  g: Tensor,
  x: Tensor,
  by: Magnitudes,
  targets: {
    readonly x: { readonly into: Tensor; readonly accumulate: boolean } | null;
    readonly magnitude: { readonly into: Tensor; readonly accumulate: boolean };
  },
): void {
  const { rows, columns } = magnitudeSizes(x, by, x.shape.at(-1)!);
  const chunk = Math.max(16, Math.ceil(rows / 64)), chunks = Math.ceil(rows / chunk);
  using _ = gpu.scope("magnitude parts", "scratch");
  const parts = gpu.empty([chunks, columns], "magnitude parts");
  const { into, accumulate } = targets.x ?? { into: gpu.empty(x.shape, "unwanted"), accumulate: false };
  const { kernel, width } = rowKernel(backwardKernels, columns);
  gpu.launch(kernel, {
    buffers: { g, x, ...by, xGradient: into, parts },
    uniforms: { rows, columns: columns / width, chunk, chunks, accumulate: Number(accumulate) },
    workgroups: groupsFor(chunks * columns / width),
  });
  sumParts(gpu, parts, targets.magnitude.into, {
    count: columns,
    parts: chunks,
    scale: 1,
    accumulate: targets.magnitude.accumulate,
  });
}

/**
 * How W_o = magnitude_o V_o / |V_o| moves, to first order, where V `[out, in]` moves by `change` and the magnitudes by
 * `magnitudeChange`: magnitude / norm · (D − (V · D) V / norm²) + magnitudeChange / norm · V, row by row, `[out, in]`; 0
 * where the norm is 0.
 */
export function magnitudeChange(
  gpu: Gpu,
  weight: Tensor,
  by: Magnitudes,
  moves: { readonly change: Tensor; readonly magnitudeChange: Tensor },
  options: RowOptions = {},
): Tensor {
  const { rows, columns } = magnitudeSizes(weight, by, weight.shape[0]!);
  const lanes = rowLanes(gpu, options), out = gpu.empty(weight.shape, `${weight.label} change`);
  gpu.launch(changeKernel, {
    buffers: { weight, ...by, ...moves, out },
    uniforms: { rows, columns },
    constants: { LANES: lanes },
    workgroups: rowGroups(rows, lanes),
  });
  return out;
}

/** @throws {RangeError} where magnitudes or norms are not as many as wanted */
function magnitudeSizes(x: Tensor, { magnitude, norms }: Magnitudes, wanted: number) {
  for (const { label, shape } of [magnitude, norms]) {
    if (elementCount(shape) !== wanted) {
      throw new RangeError(
        `Cannot rescale "${x.label}" [${x.shape}] by "${label}" [${shape}]: ${wanted} are needed`,
      );
    }
  }
  return rowSizes(x);
}
