/** @file Matrix products: C = scale op(A) op(B) (+ C), single or batched. */
import type { Gpu } from "../gpu/gpu.ts";
import { elementCount, type Tensor } from "../gpu/tensor.ts";
import type { Product } from "./matmul_product.ts";
import { stagedMatmul, suitsStaged } from "./matmul_staged.ts";
import { tiledMatmul } from "./matmul_tiled.ts";

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

/** How a product can be formed: `matmul` chooses by rule, tests force each. */
export type MatmulVariant = "tiled" | "staged";

/**
 * C = scale · op(A) op(B) (+ C).
 *
 * A is `[rows, inner]` and B `[inner, columns]` before transposes, or both with the same leading batch axis. Sums in
 * f32 in an order that depends only on the sizes and the adapter's kind, so equal calls give equal bits.
 *
 * @throws {RangeError} where the inner sizes or the batches differ, or `into` has another element count
 */
export function matmul(gpu: Gpu, a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  return matmulBy(null, gpu, a, b, options);
}

/** `matmul` by a given variant, or by rule where it is null: for tests and measurements. */
export function matmulBy(
  variant: MatmulVariant | null,
  gpu: Gpu,
  a: Tensor,
  b: Tensor,
  options: MatmulOptions = {},
): Tensor {
  const { transposeA = false, transposeB = false, scale = 1, accumulate = false } = options;
  if (transposeA && transposeB) {
    throw new RangeError(`Cannot multiply "${a.label}" by "${b.label}": only one may be transposed`);
  }
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

  const product: Product = {
    layout: transposeA ? "tn" : transposeB ? "nt" : "nn",
    batch,
    rows,
    inner,
    columns,
    scale,
    accumulate,
  };
  // On a GPU with cores of its own the staged variant's reads of A are scattered and its registers too many.
  const chosen = variant ?? (gpu.info.software && suitsStaged(product) ? "staged" : "tiled");
  (chosen === "staged" ? stagedMatmul : tiledMatmul)(gpu, a, b, out, product);
  return out;
}

function matrixSizes(tensor: Tensor): [batch: number, rows: number, columns: number] {
  const { shape } = tensor;
  if (shape.length === 2) return [1, shape[0]!, shape[1]!];
  if (shape.length === 3) return [shape[0]!, shape[1]!, shape[2]!];
  throw new RangeError(
    `Cannot multiply "${tensor.label}" [${shape}]: a matrix or a batch of matrices is needed`,
  );
}
