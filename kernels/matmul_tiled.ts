/** @file Launches the register-tiled matrix product: every shape on every adapter. */
import type { Gpu } from "../gpu/gpu.ts";
import { defineKernel, MOST_GROUPS } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Product } from "./matmul_product.ts";
import { type TiledShape, tiledSource } from "./matmul_tiled_source.ts";
import { sumParts } from "./sum_parts.ts";

type TiledKernel = ReturnType<typeof declare>;
const kernels = new Map<string, TiledKernel>();

function declare(shape: TiledShape) {
  return defineKernel({
    name: `matmul_${shape.layout}`,
    source: tiledSource(shape),
    buffers: { a: "read", b: "read", c: "read_write" },
    uniforms: {
      rows: "u32",
      inner: "u32",
      columns: "u32",
      scale: "f32",
      strideA: "u32",
      strideB: "u32",
      strideC: "u32",
      firstBatch: "u32",
      splits: "u32",
      chunk: "u32",
      accumulate: "u32",
      lanesX: "u32",
    },
    constants: { LANES: 64 },
  });
}

/** The kernel of a shape: text and pipelines are made once. */
function kernelOf(shape: TiledShape): TiledKernel {
  const key = Object.values(shape).join();
  let kernel = kernels.get(key);
  if (!kernel) kernels.set(key, kernel = declare(shape));
  return kernel;
}

/** Writes the product of `a` and `b` to `c`, whose sizes the caller has checked. */
export function tiledMatmul(gpu: Gpu, a: Tensor, b: Tensor, c: Tensor, product: Product): void {
  const { layout, batch, rows, inner, columns, scale, accumulate } = product;
  const tileRows = rows <= 4 ? 4 : 8, tileColumns = columns <= 4 ? 4 : 8;
  const lanesX = Math.min(8, ceilingPowerOfTwo(Math.ceil(columns / tileColumns)));
  // Two sizes of workgroup serve all shapes, so that one text is compiled twice at most; spare lanes cost little.
  const wanted = lanesX * Math.ceil(rows / tileRows);
  const lanes = wanted <= 16 ? 16 : gpu.info.software ? 32 : 64;
  const groupsX = Math.ceil(columns / (tileColumns * lanesX));
  const groupsY = Math.ceil(rows / (tileRows * (lanes / lanesX)));
  const kernel = kernelOf({
    layout,
    tileRows,
    tileColumns,
    vectorA: (layout === "tn" ? rows : inner) % 4 === 0,
    vectorB: (layout === "nt" ? inner : columns) % 4 === 0,
    vectorC: columns % 4 === 0,
  });
  const launch = (
    into: Tensor,
    part: { scale: number; splits: number; chunk: number; accumulate: boolean },
  ) => {
    for (let first = 0; first < batch; first += MOST_GROUPS) {
      gpu.launch(kernel, {
        buffers: { a, b, c: into },
        uniforms: {
          rows,
          inner,
          columns,
          scale: part.scale,
          strideA: rows * inner,
          strideB: inner * columns,
          strideC: rows * columns,
          firstBatch: first,
          splits: part.splits,
          chunk: part.chunk,
          accumulate: Number(part.accumulate),
          lanesX,
        },
        constants: { LANES: lanes },
        workgroups: [groupsX, groupsY, Math.min(batch - first, MOST_GROUPS) * part.splits],
      });
    }
  };

  const splits = batch > 1 ? 1 : splitsOf(gpu, groupsX * groupsY, inner);
  if (splits === 1) {
    launch(c, { scale, splits, chunk: inner, accumulate });
    return;
  }
  using _ = gpu.scope("matmul parts", "scratch");
  const parts = gpu.empty([splits, rows, columns], "matmul parts");
  launch(parts, { scale: 1, splits, chunk: Math.ceil(inner / splits / 4) * 4, accumulate: false });
  sumParts(gpu, parts, c, { count: rows * columns, parts: splits, scale, accumulate });
}

/** Parts of the inner axis: as many as fill the adapter, each long enough to be worth a second pass. */
function splitsOf(gpu: Gpu, groups: number, inner: number): number {
  const wanted = Math.ceil((gpu.info.software ? 4 : 128) / groups);
  const splits = Math.max(1, Math.min(wanted, Math.floor(inner / 128)));
  // Rounding chunks up to vectors of four can leave the last parts empty; they would add zeros.
  return splits === 1 ? 1 : Math.ceil(inner / (Math.ceil(inner / splits / 4) * 4));
}

function ceilingPowerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}
