/** @file What a variant of the matrix product is asked to do, after all checks. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import type { StoredType } from "../wgsl/stored.ts";

/** How A and B lie in memory. */
export type Layout = "nn" | "nt" | "tn";

/** What the speed of a product depends on. */
export interface ProductShape {
  /** "nn": A [rows, inner], B [inner, columns]. "nt": B is [columns, inner]. "tn": A is [inner, rows]. */
  readonly layout: Layout;
  /** Matrices side by side, 1 or more. */
  readonly batch: number;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** What B is kept in: f32 but for frozen weights. */
  readonly typeB: StoredType;
  /** True where speed matters less than that no kernel is compiled for this product alone. */
  readonly reuse?: boolean;
  /** Rows of the product that this one is a part of, by which its sums are ordered; its own where absent. */
  readonly wholeRows?: number;
}

/** C = scale · op(A) op(B) (+ epilogue) (+ C): what one launch needs to know beside the tensors. */
export interface Product extends ProductShape {
  readonly scale: number;
  /** Adds to what C holds. */
  readonly accumulate: boolean;
  /** A second pair of factors of the same layout, whose product is added. */
  readonly epilogue: { readonly inner: number; readonly scale: number } | null;
}

/** The tensors of a product. */
export interface Operands {
  readonly a: Tensor;
  readonly b: Tensor<StoredType>;
  readonly c: Tensor;
  readonly epilogue: { readonly a: Tensor; readonly b: Tensor } | null;
}

/** One way to form products. */
export interface Variant {
  /** True for products that it can form. */
  takes(product: ProductShape): boolean;
  /** True where it can add the pair of the epilogue while it writes C; otherwise that is a product of its own. */
  fuses(gpu: Gpu, product: Product): boolean;
  /** Writes C. Sizes are checked, and there is no epilogue unless `fuses`. */
  launch(gpu: Gpu, operands: Operands, product: Product): void;
}

/** Elements of a row of A, B and C of one matrix as they lie in memory. */
export function rowLengths(
  { layout, rows, inner, columns }: ProductShape,
): { readonly a: number; readonly b: number; readonly c: number } {
  return {
    a: layout === "tn" ? rows : inner,
    b: layout === "nt" ? inner : columns,
    c: columns,
  };
}

/** The part of a kernel's name that tells what B is kept in. */
export function suffixOf(typeB: StoredType): string {
  return { f32: "", f16: "_half", int8: "_int8", nf4: "_nf4" }[typeB];
}

/** Uniforms that kernels of all variants have, in this order. */
export const PRODUCT_UNIFORMS = {
  rows: "u32",
  inner: "u32",
  columns: "u32",
  scale: "f32",
  strideA: "u32",
  strideB: "u32",
  strideC: "u32",
  firstBatch: "u32",
  accumulate: "u32",
  epilogueInner: "u32",
  epilogueScale: "f32",
} as const;

/** Their values, but for the first of the batches that a launch takes and for whether it adds to C. */
export function productUniforms({ rows, inner, columns, scale, epilogue }: Product) {
  return {
    ...{ rows, inner, columns, scale },
    ...{ strideA: rows * inner, strideB: inner * columns, strideC: rows * columns },
    ...{ epilogueInner: epilogue?.inner ?? 0, epilogueScale: epilogue?.scale ?? 0 },
  };
}

/** Buffers of a kernel, with the second pair of factors where there is one. */
export function productBuffers(epilogue: boolean) {
  return {
    a: "read",
    b: "read",
    ...(epilogue ? { epilogueA: "read", epilogueB: "read" } as const : {}),
    c: "read_write",
  } as const;
}

/** Which rows of a product start at multiples of four elements, so that they are read and written as vectors. */
export function alignment(product: Product) {
  const { a, b, c } = rowLengths(product), { layout, columns, epilogue } = product;
  return {
    vectorA: a % 4 === 0,
    vectorB: b % 4 === 0,
    vectorC: c % 4 === 0,
    vectorEpilogue: epilogue !== null && epilogue.inner % 4 === 0 && (layout === "nt" || columns % 4 === 0),
  };
}
