/** @file The largest eigenvalue of a symmetric matrix that is known by its products alone. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Random } from "./random.ts";

/** An eigenvalue, and how far from one of the matrix it is at most, as long as the products are exact. */
export interface Eigenvalue {
  readonly value: number;
  readonly error: number;
}

/** Where the next direction is shorter than this share of the matrix's size, all that the start reaches is known. */
const EXHAUSTED = 1e-10;

/**
 * The largest eigenvalue of a symmetric matrix, from below, by Lanczos' method: after k products the largest of the matrix
 * on the space of a random start and its first k − 1 images. Each new direction is made orthogonal to all before, twice, so
 * rounding brings no eigenvalue back a second time.
 *
 * Source: Golub and Van Loan, Matrix Computations, 4th edition, 10.1 and 10.3.
 *
 * @param size rows of the matrix; `steps` vectors of so many numbers are kept
 * @param multiply the matrix times a vector of norm 1
 * @throws {RangeError} where a product is not finite
 */
export async function largestEigenvalue(
  size: number,
  multiply: (vector: Float64Array) => Promise<Float64Array>,
  { steps, random }: { readonly steps: number; readonly random: Random },
): Promise<Eigenvalue> {
  const basis: Float64Array[] = [], diagonal: number[] = [], beside: number[] = [];
  let next = normalized(Float64Array.from(random.normal(size, 1)));
  for (let step = 0; step < Math.min(steps, size); step++) {
    basis.push(next);
    const image = await multiply(next);
    diagonal.push(dot(image, next));
    for (let time = 0; time < 2; time++) {
      for (const direction of basis) subtract(image, direction, dot(image, direction));
    }
    const length = Math.sqrt(dot(image, image));
    if (!Number.isFinite(length)) throw new RangeError("Cannot go on with a product that is not finite");
    beside.push(length);
    if (length <= EXHAUSTED * Math.max(...diagonal.map(Math.abs), ...beside)) break;
    next = normalized(image);
  }
  const count = basis.length, small = Matrix.zeros(count, count);
  for (let i = 0; i < count; i++) {
    small.set(i, i, diagonal[i]!);
    if (i + 1 < count) {
      small.set(i, i + 1, beside[i]!);
      small.set(i + 1, i, beside[i]!);
    }
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(small, {
    assumeSymmetric: true,
  });
  let largest = 0;
  for (let i = 1; i < count; i++) if (realEigenvalues[i]! > realEigenvalues[largest]!) largest = i;
  return {
    value: realEigenvalues[largest]!,
    error: Math.abs(beside[count - 1]! * eigenvectorMatrix.get(count - 1, largest)),
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function subtract(from: Float64Array, direction: Float64Array, times: number): void {
  for (let i = 0; i < from.length; i++) from[i]! -= times * direction[i]!;
}

function normalized(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}
