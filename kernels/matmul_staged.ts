/** @file Launches the staged matrix product, and says which products it suits on an adapter that runs on the processor. */
import type { Gpu } from "../gpu/gpu.ts";
import { defineKernel, MOST_GROUPS } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Product } from "./matmul_product.ts";
import { LANES, type StagedShape, stagedSource } from "./matmul_staged_source.ts";
import { sumParts } from "./sum_parts.ts";

/**
 * A product of fewer workgroups and at least so many chunks of the inner axis has the chunks side by side, and a
 * second pass over their sums; any other has them one after the other. Measured: both are even near these numbers.
 */
const FEW_GROUPS = 8, MANY_CHUNKS = 4;
/** Most parts side by side: bounds the scratch memory where the inner axis is long. */
const MOST_PARTS = 16;

type StagedKernel = ReturnType<typeof declare>;
const kernels = new Map<string, StagedKernel>();

function declare(shape: StagedShape) {
  return defineKernel({
    name: `matmul_staged_${shape.steps}x${shape.columns}${shape.vectorA ? "" : "_strided"}`,
    source: stagedSource(shape),
    buffers: { a: "read", b: "read", c: "read_write" },
    uniforms: {
      rows: "u32",
      inner: "u32",
      columns: "u32",
      scale: "f32",
      strideA: "u32",
      strideB: "u32",
      strideC: "u32",
      rowA: "u32",
      stepA: "u32",
      columnB: "u32",
      stepB: "u32",
      firstBatch: "u32",
      firstStep: "u32",
      parts: "u32",
      accumulate: "u32",
      zero: "u32",
    },
    constants: {},
    workgroupBytes: () => 4 * shape.steps * shape.columns,
  });
}

/** The kernel of a shape: text and pipelines are made once. */
function kernelOf(shape: StagedShape): StagedKernel {
  const key = Object.values(shape).join();
  let kernel = kernels.get(key);
  if (!kernel) kernels.set(key, kernel = declare(shape));
  return kernel;
}

/** Inner steps and columns of the tile: a thin side gets a thin one. Few tiles, since each takes up to 1.3 s to compile. */
function tileOf(product: Product): { readonly steps: number; readonly tileColumns: number } {
  return { steps: product.inner <= 16 ? 16 : 64, tileColumns: product.columns <= 16 ? 16 : 64 };
}

/** True where A's rows can be read as vec4; an element by itself costs almost twice as much. */
function readsVectors(product: Product): boolean {
  return product.layout !== "tn" && product.inner % 4 === 0;
}

/**
 * True where the staged variant is faster than the tiled one, both measured on llvmpipe over some 400 shapes.
 *
 * It computes whole tiles, at four times the speed, and pays for what it pads: products that fill three tenths of
 * their tiles break even. Where A is read element by element it is about 1.7 times as fast at best, and thin
 * outputs gain nothing.
 */
export function suitsStaged(product: Product): boolean {
  const { rows, inner, columns } = product;
  const { steps, tileColumns } = tileOf(product);
  if (Math.max(rows / LANES, columns / tileColumns) > MOST_GROUPS) return false;
  const fill = (size: number, tile: number) => size / (Math.ceil(size / tile) * tile);
  const filled = fill(rows, LANES) * fill(inner, steps) * fill(columns, tileColumns);
  return readsVectors(product) ? filled >= 0.3 : filled >= 0.6 && columns > 16;
}

/** Writes the product of `a` and `b` to `c`, whose sizes the caller has checked. */
export function stagedMatmul(gpu: Gpu, a: Tensor, b: Tensor, c: Tensor, product: Product): void {
  const { layout, batch, rows, inner, columns, scale, accumulate } = product;
  const { steps, tileColumns } = tileOf(product);
  const groupsX = Math.ceil(rows / LANES), groupsY = Math.ceil(columns / tileColumns);
  const kernel = kernelOf({
    steps,
    columns: tileColumns,
    vectorA: readsVectors(product),
    vectorB: (layout === "nt" ? inner : columns) % 4 === 0,
    vectorC: columns % 4 === 0,
  });

  const chunks = Math.ceil(inner / steps);
  const few = batch === 1 && groupsX * groupsY < FEW_GROUPS && chunks >= MANY_CHUNKS;
  const parts = few ? Math.min(chunks, MOST_PARTS) : 1;
  const launch = (into: Tensor, how: { readonly scale: number; readonly accumulate: boolean }) => {
    for (let chunk = 0; chunk < chunks; chunk += parts) {
      for (let first = 0; first < batch; first += MOST_GROUPS) {
        const groupsZ = few ? Math.min(chunks - chunk, parts) : Math.min(batch - first, MOST_GROUPS);
        gpu.launch(kernel, {
          buffers: { a, b, c: into },
          uniforms: {
            rows,
            inner,
            columns,
            scale: how.scale,
            strideA: rows * inner,
            strideB: inner * columns,
            strideC: rows * columns,
            rowA: layout === "tn" ? 1 : inner,
            stepA: layout === "tn" ? rows : 1,
            columnB: layout === "nt" ? inner : 1,
            stepB: layout === "nt" ? 1 : columns,
            firstBatch: first,
            firstStep: chunk * steps,
            parts,
            // The chunks after the first add to what the first has left.
            accumulate: Number(how.accumulate || chunk > 0),
            zero: 0,
          },
          workgroups: [groupsX, groupsY, groupsZ],
        });
      }
    }
  };
  if (parts === 1) {
    launch(c, { scale, accumulate });
    return;
  }
  using _ = gpu.scope("matmul parts", "scratch");
  const sums = gpu.empty([parts, rows, columns], "matmul parts");
  launch(sums, { scale: 1, accumulate: false });
  sumParts(gpu, sums, c, { count: rows * columns, parts, scale, accumulate });
}
