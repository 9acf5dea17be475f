/** @file Launches the register-tiled matrix product: every shape on every adapter. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, MOST_GROUPS } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { sumParts } from "../reduce/sum_parts.ts";
import { type ProductShape, rowLengths, type Variant } from "./product.ts";
import { type TiledShape, tiledSource } from "./tiled_source.ts";

type TiledKernel = ReturnType<typeof declare>;
const kernels = new Map<string, TiledKernel>();

function declare(shape: TiledShape) {
  const { layout, tileRows, tileColumns, half, joined } = shape;
  return defineKernel({
    name: `matmul_tiled_${tileRows}x${tileColumns}_${layout}${half ? "_half" : ""}${joined ? "_joined" : ""}`,
    source: tiledSource(shape),
    buffers: {
      a: "read",
      b: "read",
      ...(joined ? { joinedA: "read", joinedB: "read" } as const : {}),
      c: "read_write",
    },
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
      joinedInner: "u32",
      joinedScale: "f32",
      zero: "u32",
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

/** A tile of C in the registers of each lane. */
export const tiled: Variant = {
  takes: () => true,
  joins(gpu, product) {
    const { layout, batch, joined } = product;
    return layout !== "tn" && batch === 1 && joined !== null && gridOf(gpu, product).splits === 1;
  },
  launch(gpu, { a, b, c, joined }, product) {
    const { layout, batch, rows, inner, columns, scale, accumulate, half } = product;
    const { tileRows, tileColumns, lanesX, lanes, groupsX, groupsY, splits } = gridOf(gpu, product);
    const lengths = rowLengths(product), joinedInner = product.joined?.inner ?? 0;
    const kernel = kernelOf({
      layout,
      tileRows,
      tileColumns,
      vectorA: lengths.a % 4 === 0,
      vectorB: lengths.b % 4 === 0,
      vectorC: lengths.c % 4 === 0,
      half,
      joined: joined !== null,
      vectorJoined: joined !== null && joinedInner % 4 === 0 && (layout === "nt" || columns % 4 === 0),
    });
    const chunk = splits === 1 ? inner : Math.ceil(inner / splits / 4) * 4;
    const launch = (into: Tensor, accumulate: boolean) => {
      for (let first = 0; first < batch; first += MOST_GROUPS) {
        gpu.launch(kernel, {
          buffers: { a, b, ...(joined ? { joinedA: joined.a, joinedB: joined.b } : {}), c: into },
          uniforms: {
            rows,
            inner,
            columns,
            scale,
            strideA: rows * inner,
            strideB: inner * columns,
            strideC: rows * columns,
            firstBatch: first,
            splits,
            chunk,
            accumulate: Number(accumulate),
            lanesX,
            joinedInner,
            joinedScale: product.joined?.scale ?? 0,
            zero: 0,
          },
          constants: { LANES: lanes },
          workgroups: [groupsX, groupsY, Math.min(batch - first, MOST_GROUPS) * splits],
        });
      }
    };
    if (splits === 1) {
      launch(c, accumulate);
      return;
    }
    using _ = gpu.scope("matmul parts", "scratch");
    const parts = gpu.empty([splits, rows, columns], "matmul parts");
    launch(parts, false);
    sumParts(gpu, parts, c, { count: rows * columns, parts: splits, scale: 1, accumulate });
  },
};

/** Tile and workgroups of a product, and into how many parts its inner axis is split. */
function gridOf(gpu: Gpu, { batch, rows, inner, columns }: ProductShape) {
  const tileRows = rows <= 4 ? 4 : 8, tileColumns = columns <= 4 ? 4 : 8;
  const lanesX = Math.min(8, ceilingPowerOfTwo(Math.ceil(columns / tileColumns)));
  // A software adapter gains nothing from large workgroups, and compiles a text again for each size.
  const lanes = gpu.info.software || lanesX * Math.ceil(rows / tileRows) <= 16 ? 16 : 64;
  const groupsX = Math.ceil(columns / (tileColumns * lanesX));
  const groupsY = Math.ceil(rows / (tileRows * (lanes / lanesX)));
  const splits = batch > 1 ? 1 : splitsOf(gpu, groupsX * groupsY, inner);
  return { tileRows, tileColumns, lanesX, lanes, groupsX, groupsY, splits };
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
