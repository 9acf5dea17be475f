/** @file Matrix products: C = scale op(A) op(B) (+ epilogue) (+ C), single or batched. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { type MatmulVariant, variantFor, variants } from "./choice.ts";
import type { StoredType } from "../wgsl/stored.ts";
import type { Product } from "./product.ts";

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
  /**
   * True for a product that is formed between many steps and not in each: it reuses a kernel that steps have. A faster
   * one of its own would first be compiled, which takes a software adapter a second or two.
   */
  readonly reuse?: boolean;
  /**
   * Rows of the product that this one is a part of: its sums are then formed in the order of the whole's, so its rows have the
   * whole's bits. Its own where absent.
   */
  readonly wholeRows?: number;
  /**
   * A second pair of factors, transposed as the first is, whose product times `scale` is added: W x + s B (A x), say.
   * Where the pair's inner size is small, C is written once for both.
   */
  readonly epilogue?: { readonly a: Tensor; readonly b: Tensor; readonly scale: number };
}

/**
 * C = scale · op(A) op(B) (+ epilogue) (+ C).
 *
 * A is `[rows, inner]` and B `[inner, columns]` before transposes, or both with the same leading batch axis. B may be
 * kept in low precision, and quantized where it is a single matrix. Sums in f32 in an order that depends only on the sizes, the adapter's kind and the choices in use, so
 * equal calls give equal bits.
 *
 * @throws {RangeError} where the inner sizes or the batches differ, `into` has another element count, or B is a batch of quantized
 * matrices
 */
export function matmul(
  gpu: Gpu,
  a: Tensor,
  b: Tensor<StoredType>,
  options: MatmulOptions = {},
): Tensor {
  return matmulBy(null, gpu, a, b, options);
}

/** `matmul` by a given variant, or by rule where it is null: for tests and measurements. */
export function matmulBy(
  name: MatmulVariant | null,
  gpu: Gpu,
  a: Tensor,
  b: Tensor<StoredType>,
  options: MatmulOptions = {},
): Tensor {
  const { transposeA = false, transposeB = false, epilogue } = options;
  const { shape, ...sizes } = productSizes(a, b, { transposeA, transposeB });
  const out = options.into ?? gpu.empty(shape, `${a.label} x ${b.label}`);
  if (elementCount(out.shape) !== elementCount(shape)) {
    throw new RangeError(`Cannot multiply into "${out.label}" [${out.shape}]: the product is [${shape}]`);
  }
  if (sizes.batch > 1 && (b.dtype === "int8" || b.dtype === "nf4")) {
    throw new RangeError(
      `Cannot multiply by "${b.label}" [${b.shape}]: a batch of ${b.dtype} matrices is not read`,
    );
  }
  const plain: Product = {
    ...sizes,
    scale: options.scale ?? 1,
    accumulate: options.accumulate ?? false,
    typeB: b.dtype,
    reuse: options.reuse ?? false,
    wholeRows: options.wholeRows ?? sizes.rows,
    epilogue: null,
  };
  const variant = variants[name ?? variantFor(gpu, plain)];
  if (!variant.takes(plain)) {
    throw new RangeError(
      `Cannot multiply "${a.label}" [${a.shape}] by "${b.label}" [${b.shape}] by variant "${name}", which does not take such products`,
    );
  }
  if (!epilogue) {
    variant.launch(gpu, { a, b, c: out, epilogue: null }, plain);
    return out;
  }

  const second = productSizes(epilogue.a, epilogue.b, { transposeA, transposeB });
  if (second.batch !== plain.batch || second.rows !== plain.rows || second.columns !== plain.columns) {
    throw new RangeError(
      `Cannot add "${epilogue.a.label}" [${epilogue.a.shape}] by "${epilogue.b.label}" [${epilogue.b.shape}]: their product is [${second.shape}], [${shape}] is needed`,
    );
  }
  const both = { ...plain, epilogue: { inner: second.inner, scale: epilogue.scale } };
  if (variant.fuses(gpu, both)) {
    variant.launch(gpu, { a, b, c: out, epilogue }, both);
  } else {
    variant.launch(gpu, { a, b, c: out, epilogue: null }, plain);
    const { scale } = epilogue;
    matmulBy(name, gpu, epilogue.a, epilogue.b, {
      transposeA,
      transposeB,
      scale,
      into: out,
      accumulate: true,
    });
  }
  return out;
}

/** Layout and sizes of a product whose factors fit together. */
function productSizes(
  a: Tensor,
  b: Tensor<StoredType>,
  { transposeA, transposeB }: { readonly transposeA: boolean; readonly transposeB: boolean },
) {
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
  const layout: Product["layout"] = transposeA ? "tn" : transposeB ? "nt" : "nn";
  const shape = a.shape.length === 3 ? [batch, rows, columns] : [rows, columns];
  return { layout, batch, rows, inner, columns, shape };
}

function matrixSizes(tensor: Tensor<StoredType>): [batch: number, rows: number, columns: number] {
  const { shape } = tensor;
  if (shape.length === 2) return [1, shape[0]!, shape[1]!];
  if (shape.length === 3) return [shape[0]!, shape[1]!, shape[2]!];
  throw new RangeError(
    `Cannot multiply "${tensor.label}" [${shape}]: a matrix or a batch of matrices is needed`,
  );
}
