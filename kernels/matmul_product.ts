/** @file What a variant of the matrix product is asked to do, after all checks. */

/** C = scale · op(A) op(B) (+ C) with its sizes: what one launch needs to know beside the tensors. */
export interface Product {
  /** "nn": A [rows, inner], B [inner, columns]. "nt": B is [columns, inner]. "tn": A is [inner, rows]. */
  readonly layout: "nn" | "nt" | "tn";
  /** Matrices side by side, 1 or more. */
  readonly batch: number;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly scale: number;
  /** Adds to what C holds. */
  readonly accumulate: boolean;
}
