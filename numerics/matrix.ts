/** @file Float64 matrices for the references: plain data, row-major, nothing in place. */
import type { Random } from "./random.ts";

/** A row-major float64 matrix: entry (i, j) is `data[i * columns + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** A matrix of the given numbers, copied. @throws {RangeError} where their count is not rows * columns */
export function matrix(rows: number, columns: number, data: ArrayLike<number>): Matrix {
  if (data.length !== rows * columns) {
    throw new RangeError(`Cannot make a [${rows}, ${columns}] matrix of ${data.length} numbers`);
  }
  return { rows, columns, data: Float64Array.from(data) };
}

/** A matrix of zeros. */
export function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) };
}

/** The identity matrix of the given size. */
export function identity(size: number): Matrix {
  const out = zeros(size, size);
  for (let i = 0; i < size; i++) out.data[i * size + i] = 1;
  return out;
}

/** A matrix from its rows; `fromRows([])` is `[0, 0]`. @throws {RangeError} where rows differ in length */
export function fromRows(rows: readonly ArrayLike<number>[]): Matrix {
  const columns = rows[0]?.length ?? 0;
  const out = zeros(rows.length, columns);
  rows.forEach((row, i) => {
    if (row.length !== columns) {
      throw new RangeError(`Cannot make a matrix of rows of ${columns} and ${row.length}`);
    }
    out.data.set(Float64Array.from(row), i * columns);
  });
  return out;
}

/** The rows as nested arrays, which is what mathjs and ml-matrix read. */
export function toRows(m: Matrix): number[][] {
  return Array.from(
    { length: m.rows },
    (_, i) => Array.from(m.data.subarray(i * m.columns, (i + 1) * m.columns)),
  );
}

/** What came back from the GPU, widened. @throws {RangeError} where the count is not rows * columns */
export function fromFloat32(data: Float32Array, rows: number, columns: number): Matrix {
  return matrix(rows, columns, data);
}

/** The entries rounded to f32, ready for an upload. */
export function toFloat32(m: Matrix): Float32Array<ArrayBuffer> {
  return Float32Array.from(m.data);
}

/** The same matrix with entries that f32 can hold: what a reference must be given to see what the GPU sees. */
export function roundToFloat32(m: Matrix): Matrix {
  return map(m, Math.fround);
}

/** Independent normal entries. They are f32 numbers, so `toFloat32` loses nothing. */
export function randomMatrix(rows: number, columns: number, random: Random, deviation = 1): Matrix {
  return matrix(rows, columns, random.normal(rows * columns, deviation));
}

/** A `[rows, columns]` matrix with orthonormal columns, columns <= rows: random normals, Gram-Schmidt done twice. */
export function orthonormalColumns(rows: number, columns: number, random: Random): Matrix {
  if (columns > rows) throw new RangeError(`Cannot make ${columns} orthonormal columns of length ${rows}`);
  const basis: Float64Array[] = [];
  const start = randomMatrix(columns, rows, random);
  for (let j = 0; j < columns; j++) {
    const vector = start.data.slice(j * rows, (j + 1) * rows);
    // Once leaves an error of 1e-16 times the loss of length; twice is enough.
    for (let pass = 0; pass < 2; pass++) {
      for (const other of basis) {
        const overlap = vector.reduce((sum, value, i) => sum + value * other[i]!, 0);
        vector.forEach((value, i) => vector[i] = value - overlap * other[i]!);
      }
      const length = Math.hypot(...vector);
      vector.forEach((value, i) => vector[i] = value / length);
    }
    basis.push(vector);
  }
  return columns === 0 ? zeros(rows, 0) : transpose(fromRows(basis));
}

/**
 * U diag(values) Vᵀ with random orthonormal U and V: the singular values are `values`, then zeros.
 * Its rank and condition number are what the caller says, up to 1e-16 of the largest value.
 * @throws {RangeError} where there are more values than min(rows, columns)
 */
export function withSingularValues(
  rows: number,
  columns: number,
  values: readonly number[],
  random: Random,
): Matrix {
  const left = orthonormalColumns(rows, values.length, random.fork("left"));
  const right = orthonormalColumns(columns, values.length, random.fork("right"));
  const scaled = matrix(rows, values.length, left.data.map((value, i) => value * values[i % values.length]!));
  return multiply(scaled, right, { transposeB: true });
}

/** Which operands of a product to transpose. */
export interface MultiplyOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** op(A) op(B). @throws {RangeError} where inner sizes differ */
export function multiply(a: Matrix, b: Matrix, options: MultiplyOptions = {}): Matrix {
  const left = options.transposeA ? transpose(a) : a;
  const right = options.transposeB ? transpose(b) : b;
  if (left.columns !== right.rows) {
    throw new RangeError(
      `Cannot multiply [${left.rows}, ${left.columns}] by [${right.rows}, ${right.columns}]: inner sizes differ`,
    );
  }
  const out = zeros(left.rows, right.columns);
  for (let i = 0; i < left.rows; i++) {
    for (let k = 0; k < left.columns; k++) {
      const factor = left.data[i * left.columns + k]!;
      for (let j = 0; j < right.columns; j++) {
        out.data[i * right.columns + j]! += factor * right.data[k * right.columns + j]!;
      }
    }
  }
  return out;
}

/** The product of several matrices, from the left. */
export function product(first: Matrix, ...rest: readonly Matrix[]): Matrix {
  return rest.reduce((left, right) => multiply(left, right), first);
}

/** Aᵀ. */
export function transpose(m: Matrix): Matrix {
  const out = zeros(m.columns, m.rows);
  for (let i = 0; i < m.rows; i++) {
    for (let j = 0; j < m.columns; j++) out.data[j * m.rows + i] = m.data[i * m.columns + j]!;
  }
  return out;
}

/** f of each entry. */
export function map(m: Matrix, f: (value: number) => number): Matrix {
  return { rows: m.rows, columns: m.columns, data: m.data.map(f) };
}

/** f of each pair of entries. @throws {RangeError} where shapes differ */
export function zip(a: Matrix, b: Matrix, f: (a: number, b: number) => number): Matrix {
  if (a.rows !== b.rows || a.columns !== b.columns) {
    throw new RangeError(
      `Cannot combine [${a.rows}, ${a.columns}] and [${b.rows}, ${b.columns}]: shapes differ`,
    );
  }
  return { rows: a.rows, columns: a.columns, data: a.data.map((value, i) => f(value, b.data[i]!)) };
}

/** A + factor * B. */
export function add(a: Matrix, b: Matrix, factor = 1): Matrix {
  return zip(a, b, (x, y) => x + factor * y);
}

/** A - B. */
export function subtract(a: Matrix, b: Matrix): Matrix {
  return zip(a, b, (x, y) => x - y);
}

/** factor * A. */
export function scale(m: Matrix, factor: number): Matrix {
  return map(m, (value) => factor * value);
}

/** Sum of the products of entries, <A, B>. */
export function dot(a: Matrix, b: Matrix): number {
  return zip(a, b, (x, y) => x * y).data.reduce((sum, value) => sum + value, 0);
}

/** Frobenius norm. */
export function norm(m: Matrix): number {
  return Math.sqrt(dot(m, m));
}

/** Columns first to last - 1. */
export function sliceColumns(m: Matrix, first: number, last: number): Matrix {
  return fromRows(toRows(m).map((row) => row.slice(first, last)));
}

/** Rows first to last - 1. */
export function sliceRows(m: Matrix, first: number, last: number): Matrix {
  return matrix(last - first, m.columns, m.data.subarray(first * m.columns, last * m.columns));
}
