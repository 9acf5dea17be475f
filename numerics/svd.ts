/** @file Host linear algebra in float64, on ml-matrix. */
import {
  CholeskyDecomposition,
  EigenvalueDecomposition,
  Matrix,
  QrDecomposition,
  SingularValueDecomposition,
} from "ml-matrix";

/** A row-major matrix on the host. */
export interface HostMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: ArrayLike<number>;
}

/** The largest singular values of a matrix and their vectors. */
export interface TruncatedSvd {
  /** Left vectors as columns, `[rows, count]`, row-major. */
  readonly left: Float64Array;
  /** Descending, `[count]`. */
  readonly values: Float64Array;
  /** Right vectors as rows, `[count, columns]`, row-major. */
  readonly right: Float64Array;
}

/**
 * The `count` largest singular values and vectors.
 *
 * The largest entry of each right vector is made positive: a decomposition fixes signs only in pairs, and methods that
 * mix vectors of different pairs would depend on the routine otherwise.
 */
export function truncatedSvdOnHost(matrix: HostMatrix, count: number): TruncatedSvd {
  const { rows, columns } = matrix;
  if (!(count >= 1 && count <= Math.min(rows, columns))) {
    throw new RangeError(
      `Cannot take ${count} singular vectors of a [${rows}, ${columns}] matrix: 1 to ${
        Math.min(rows, columns)
      } exist`,
    );
  }
  const decomposition = new SingularValueDecomposition(toMatrix(matrix), { autoTranspose: true });
  const u = decomposition.leftSingularVectors, v = decomposition.rightSingularVectors;
  const left = new Float64Array(rows * count), right = new Float64Array(count * columns);
  for (let k = 0; k < count; k++) {
    let largest = 0;
    for (let j = 0; j < columns; j++) if (Math.abs(v.get(j, k)) > Math.abs(largest)) largest = v.get(j, k);
    const sign = largest < 0 ? -1 : 1;
    for (let i = 0; i < rows; i++) left[i * count + k] = sign * u.get(i, k);
    for (let j = 0; j < columns; j++) right[k * columns + j] = sign * v.get(j, k);
  }
  return { left, values: Float64Array.from(decomposition.diagonal.slice(0, count)), right };
}

/**
 * The left vectors of the `count` largest singular values as columns, `[rows, count]`, row-major, from the eigenvectors of
 * the smaller Gram matrix: several times as fast as a decomposition, and as exact as the square of the condition number
 * lets them be. A vector of a singular value of 0 is 0 where there are more rows than columns.
 */
export function leftVectorsOnHost(matrix: HostMatrix, count: number): Float64Array {
  const { rows, columns } = matrix, all = toMatrix(matrix), isWide = rows <= columns;
  const gram = isWide ? all.mmul(all.transpose()) : all.transpose().mmul(all);
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  const largest = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  const left = isWide ? eigenvectorMatrix : all.mmul(eigenvectorMatrix),
    found = new Float64Array(rows * count);
  for (let k = 0; k < count; k++) {
    const from = largest[k]!;
    let square = 0;
    for (let i = 0; i < rows; i++) square += left.get(i, from) ** 2;
    const scale = square === 0 ? 0 : 1 / Math.sqrt(square);
    for (let i = 0; i < rows; i++) found[i * count + k] = scale * left.get(i, from);
  }
  return found;
}

/** All singular values, descending. Milliseconds for 64 x 192, a fifth of a second for 512 x 512. */
export function singularValuesOnHost(matrix: HostMatrix): Float64Array {
  const { diagonal } = new SingularValueDecomposition(toMatrix(matrix), {
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
    autoTranspose: true,
  });
  return Float64Array.from(diagonal.slice(0, Math.min(matrix.rows, matrix.columns)));
}

/** An orthonormal basis of the columns of a tall matrix, `[rows, columns]`, row-major. */
export function orthonormalBasis(matrix: HostMatrix): Float64Array {
  return Float64Array.from(new QrDecomposition(toMatrix(matrix)).orthogonalMatrix.to1DArray());
}

/** Q and R of a matrix W = Q R, as far as its first columns reach. */
export interface ThinQr {
  /** Orthonormal columns that span W's first `count`, `[rows, count]`, row-major. */
  readonly q: Float64Array;
  /** QᵀW, `[count, columns]`, row-major: its first `count` columns are upper triangular with a diagonal of 0 or more. */
  readonly r: Float64Array;
}

/** The first `count` columns of Q and rows of R of a QR decomposition. `count` is at most the smaller side. */
export function thinQrOnHost(matrix: HostMatrix, count: number): ThinQr {
  const all = toMatrix(matrix), { rows, columns } = matrix;
  const basis = new QrDecomposition(all.subMatrix(0, rows - 1, 0, count - 1)).orthogonalMatrix;
  const projected = basis.transpose().mmul(all);
  const q = new Float64Array(rows * count), r = new Float64Array(count * columns);
  for (let k = 0; k < count; k++) {
    const sign = projected.get(k, k) < 0 ? -1 : 1;
    for (let i = 0; i < rows; i++) q[i * count + k] = sign * basis.get(i, k);
    for (let j = 0; j < columns; j++) r[k * columns + j] = sign * projected.get(k, j);
  }
  return { q, r };
}

/**
 * Eigenvectors of the smallest eigenvalues of a symmetric matrix as rows, `[count, columns]`, row-major, by ascending eigenvalue: of as
 * many as `least`, or of all that are at most `negligible` times the largest, where these are more.
 */
export function smallestEigenvectorsOnHost(
  matrix: HostMatrix,
  least: number,
  negligible = 0,
): Float64Array {
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(toMatrix(matrix), {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[a]! - realEigenvalues[b]!);
  const bound = negligible * realEigenvalues[order.at(-1)!]!;
  const count = Math.max(least, realEigenvalues.filter((value) => value <= bound).length);
  return Float64Array.from(order.slice(0, count).flatMap((k) => eigenvectorMatrix.getColumn(k)));
}

/**
 * X with X C = `rows`, `[count, columns]`, row-major, for a symmetric positive definite C `[columns, columns]`.
 *
 * @throws {RangeError} where C is not positive definite
 */
export function divideRowsOnHost(rows: Float64Array, by: HostMatrix): Float64Array {
  const cholesky = new CholeskyDecomposition(toMatrix(by));
  if (!cholesky.isPositiveDefinite()) {
    throw new RangeError(
      `Cannot divide by a [${by.rows}, ${by.columns}] matrix that is not positive definite`,
    );
  }
  const count = rows.length / by.columns;
  const solved = cholesky.solve(
    Matrix.from1DArray(count, by.columns, rows as unknown as number[]).transpose(),
  );
  return Float64Array.from(solved.transpose().to1DArray());
}

function toMatrix({ rows, columns, data }: HostMatrix): Matrix {
  return Matrix.from1DArray(rows, columns, data as number[]);
}
