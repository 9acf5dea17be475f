/** @file Float64 inverses, decompositions and the Sylvester equation, by mathjs and ml-matrix. */
import { inv, sylvester } from "mathjs";
import { EigenvalueDecomposition, Matrix as MlMatrix, SingularValueDecomposition, solve } from "ml-matrix";
import {
  add,
  fromRows,
  identity,
  type Matrix,
  matrix,
  multiply,
  norm,
  product,
  subtract,
  toRows,
  transpose,
  zeros,
} from "./matrix.ts";

/** A singular value decomposition U diag(values) Vᵀ. */
export interface Svd {
  /** One left vector per column, `[rows, k]`, k = min(rows, columns). */
  readonly u: Matrix;
  /** Descending, k of them. */
  readonly values: readonly number[];
  /** One right vector per column, `[columns, k]`. */
  readonly v: Matrix;
}

/** Thin SVD by ml-matrix. Signs are whatever the routine returns. */
export function svd(m: Matrix): Svd {
  const result = new SingularValueDecomposition(new MlMatrix(toRows(m)), { autoTranspose: true });
  return {
    u: fromRows(result.leftSingularVectors.to2DArray()),
    values: result.diagonal,
    v: fromRows(result.rightSingularVectors.to2DArray()),
  };
}

/** An eigendecomposition of a symmetric matrix: V diag(values) Vᵀ. */
export interface SymmetricEigen {
  /** Ascending. */
  readonly values: readonly number[];
  /** One vector per column. */
  readonly vectors: Matrix;
}

/** Eigendecomposition of a symmetric matrix by ml-matrix (Householder, then implicit QL). */
export function symmetricEigen(m: Matrix): SymmetricEigen {
  const result = new EigenvalueDecomposition(new MlMatrix(toRows(m)), { assumeSymmetric: true });
  return { values: result.realEigenvalues, vectors: fromRows(result.eigenvectorMatrix.to2DArray()) };
}

/** Inverse by mathjs (Gauss-Jordan with pivots). @throws {Error} where the matrix is exactly singular */
export function inverse(m: Matrix): Matrix {
  return fromRows(inv(toRows(m)));
}

/**
 * Moore-Penrose inverse by SVD: singular values of at most `tolerance` times the largest count as zero.
 * The pseudo-inverse of zeros is zeros.
 */
export function pseudoInverse(m: Matrix, tolerance: number): Matrix {
  const { u, values, v } = svd(m);
  const kept = values.map((value) => value > tolerance * values[0]! ? 1 / value : 0);
  const scaled = matrix(v.rows, v.columns, v.data.map((value, i) => value * kept[i % v.columns]!));
  return multiply(scaled, u, { transposeB: true });
}

/**
 * X with P X + X Q = C for symmetric positive semidefinite P and Q, in their eigenbases:
 * X = U [(Uᵀ C V)ᵢⱼ / (λᵢ + μⱼ)] Vᵀ.
 *
 * Eigenvalues of at most `tolerance` times the largest of their matrix count as zero, and a pair of zeros gets 0:
 * where the equation is singular that makes X the least-squares solution of minimum norm.
 */
export function solveSylvester(p: Matrix, q: Matrix, c: Matrix, tolerance = 1e-12): Matrix {
  const left = symmetricEigen(p), right = symmetricEigen(q);
  const cut = (values: readonly number[]) =>
    values.map((value) => value > tolerance * values.at(-1)! ? value : 0);
  const lambda = cut(left.values), mu = cut(right.values);
  const turned = product(transpose(left.vectors), c, right.vectors);
  const divided = turned.data.map((value, index) => {
    const sum = lambda[Math.floor(index / q.rows)]! + mu[index % q.rows]!;
    return sum > 0 ? value / sum : 0;
  });
  return product(left.vectors, matrix(p.rows, q.rows, divided), transpose(right.vectors));
}

/** |P X + X Q - C| / |C|, in Frobenius norms; |P X + X Q| where C is 0. */
export function sylvesterResidual(p: Matrix, q: Matrix, c: Matrix, x: Matrix): number {
  const size = norm(c);
  return norm(subtract(add(multiply(p, x), multiply(x, q)), c)) / (size === 0 ? 1 : size);
}

/**
 * The same by mathjs's Schur-based `sylvester`, refined: a second opinion for tests, good for moderate sizes.
 *
 * mathjs 15.2 stops its QR iteration when a step changes the matrix by less than 1e-4 and drops entries below 1e-5 of
 * Q's Schur form, both in absolute terms: one call leaves a relative residual of 1e-5 to 1e-2. Solving again for the
 * residual reaches 1e-15 in two to four rounds where Q's entries are near 1 and its condition number is at most 10.
 */
export function solveSylvesterByMathjs(p: Matrix, q: Matrix, c: Matrix, refinements = 6): Matrix {
  const once = (right: Matrix) => fromRows(sylvester(toRows(p), toRows(q), toRows(right)) as number[][]);
  let x = once(c);
  for (let round = 0; round < refinements; round++) {
    x = add(x, once(subtract(c, add(multiply(p, x), multiply(x, q)))));
  }
  return x;
}

/** The same as one linear system of size r^2, (P x I + I x Q) vec X = vec C, by ml-matrix's LU: a third opinion. */
export function solveSylvesterByKronecker(p: Matrix, q: Matrix, c: Matrix): Matrix {
  const system = add(kronecker(p, identity(q.rows)), kronecker(identity(p.rows), q));
  const solution = solve(new MlMatrix(toRows(system)), MlMatrix.columnVector(Array.from(c.data)));
  return matrix(p.rows, q.rows, solution.to1DArray());
}

/** Kronecker product. For row-major vec, vec(A X B) = (A x Bᵀ) vec X. */
export function kronecker(a: Matrix, b: Matrix): Matrix {
  const out = zeros(a.rows * b.rows, a.columns * b.columns);
  for (let i = 0; i < out.rows; i++) {
    for (let j = 0; j < out.columns; j++) {
      out.data[i * out.columns + j] =
        a.data[Math.floor(i / b.rows) * a.columns + Math.floor(j / b.columns)]! *
        b.data[(i % b.rows) * b.columns + (j % b.columns)]!;
    }
  }
  return out;
}
