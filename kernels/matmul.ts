/** @file Matrix products: C = scale op(A) op(B) (+ C), single or batched. */
import type { Gpu } from "../gpu/gpu.ts";
import { defineKernel, MOST_GROUPS } from "../gpu/kernel.ts";
import { elementCount, type Tensor } from "../gpu/tensor.ts";
import { type MatmulShape, matmulSource } from "./matmul_source.ts";
import { sumParts } from "./sum_parts.ts";

/** How the product is formed. */
export interface MatmulOptions {
  /** A is `[.., inner, rows]`. Not together with `transposeB`. */
  readonly transposeA?: boolean;
  /** B is `[.., columns, inner]`. */
  readonly transposeB?: boolean;
  readonly scale?: number;
  /** Where C goes; a fresh tensor where absent. */
  readonly into?: Tensor;
  /** Adds to what `into` holds. */
  readonly accumulate?: boolean;
}

type MatmulKernel = ReturnType<typeof declare>;
const variants = new Map<string, MatmulKernel>();

function declare(shape: MatmulShape) {
  return defineKernel({
    name: `matmul_${shape.layout}`,
    source: matmulSource(shape),
    buffers: { a: "read", b: "read", c: "read_write" },
    uniforms: {
      rows: "u32", inner: "u32", columns: "u32", scale: "f32", strideA: "u32", strideB: "u32", strideC: "u32",
      firstBatch: "u32", splits: "u32", chunk: "u32", accumulate: "u32",
    },
    constants: { LANES_X: 8, LANES_Y: 8 },
  });
}

/** The kernel of a shape: text and pipelines are made once. */
export function matmulKernel(shape: MatmulShape): MatmulKernel {
  const key = Object.values(shape).join();
  let kernel = variants.get(key);
  if (!kernel) variants.set(key, kernel = declare(shape));
  return kernel;
}

/**
 * C = scale · op(A) op(B) (+ C).
 *
 * A is `[rows, inner]` and B `[inner, columns]` before transposes, or both with the same leading batch axis. Sums in
 * f32 in an order that depends only on the sizes and the adapter's kind, so equal calls give equal bits.
 *
 * @throws {RangeError} where the inner sizes or the batches differ, or `into` has another element count
 */
export function matmul(gpu: Gpu, a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, scale = 1, accumulate = false } = options;
  if (transposeA && transposeB) throw new RangeError(`Cannot multiply "${a.label}" by "${b.label}": only one may be transposed`);
  const [batch, rowsA, columnsA] = matrixSizes(a);
  const [batchB, rowsB, columnsB] = matrixSizes(b);
  const [rows, inner] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [innerB, columns] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  if (inner !== innerB || batch !== batchB) {
    throw new RangeError(
      `Cannot multiply "${a.label}" [${a.shape}] by "${b.label}" [${b.shape}]: inner sizes are ${inner} and ${innerB}, batches ${batch} and ${batchB}`,
    );
  }
  const shape = a.shape.length === 3 ? [batch, rows, columns] : [rows, columns];
  const out = options.into ?? gpu.empty(shape, `${a.label} x ${b.label}`);
  if (elementCount(out.shape) !== batch * rows * columns) {
    throw new RangeError(`Cannot multiply into "${out.label}" [${out.shape}]: the product is [${shape}]`);
  }

  const tileRows = rows <= 4 ? 4 : 8, tileColumns = columns <= 4 ? 4 : 8;
  const lanesX = Math.min(8, ceilingPowerOfTwo(Math.ceil(columns / tileColumns)));
  const lanesY = Math.min((gpu.info.software ? 32 : 64) / lanesX, ceilingPowerOfTwo(Math.ceil(rows / tileRows)));
  const groupsX = Math.ceil(columns / (tileColumns * lanesX)), groupsY = Math.ceil(rows / (tileRows * lanesY));
  const kernel = matmulKernel({
    layout: transposeA ? "tn" : transposeB ? "nt" : "nn",
    tileRows,
    tileColumns,
    vectorA: (transposeA ? rows : inner) % 4 === 0,
    vectorB: (transposeB ? inner : columns) % 4 === 0,
    vectorC: columns % 4 === 0,
  });
  const launch = (c: Tensor, part: { scale: number; splits: number; chunk: number; accumulate: boolean }) => {
    for (let first = 0; first < batch; first += MOST_GROUPS) {
      gpu.launch(kernel, {
        buffers: { a, b, c },
        uniforms: {
          rows, inner, columns, scale: part.scale,
          strideA: rows * inner, strideB: inner * columns, strideC: rows * columns,
          firstBatch: first, splits: part.splits, chunk: part.chunk, accumulate: Number(part.accumulate),
        },
        constants: { LANES_X: lanesX, LANES_Y: lanesY },
        workgroups: [groupsX, groupsY, Math.min(batch - first, MOST_GROUPS) * part.splits],
      });
    }
  };

  const splits = batch > 1 ? 1 : splitsOf(gpu, groupsX * groupsY, inner);
  if (splits === 1) {
    launch(out, { scale, splits, chunk: inner, accumulate });
    return out;
  }
  using _ = gpu.scope("matmul parts", "scratch");
  const parts = gpu.empty([splits, rows, columns], "matmul parts");
  launch(parts, { scale: 1, splits, chunk: Math.ceil(inner / splits / 4) * 4, accumulate: false });
  sumParts(gpu, parts, out, { count: rows * columns, parts: splits, scale, accumulate });
  return out;
}

function matrixSizes(tensor: Tensor): [batch: number, rows: number, columns: number] {
  const { shape } = tensor;
  if (shape.length === 2) return [1, shape[0]!, shape[1]!];
  if (shape.length === 3) return [shape[0]!, shape[1]!, shape[2]!];
  throw new RangeError(`Cannot multiply "${tensor.label}" [${shape}]: a matrix or a batch of matrices is needed`);
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
