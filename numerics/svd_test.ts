import { assert, assertEquals, assertThrows } from "@std/assert";
import { assertClose } from "../tests/support/assert_close.ts";
import {
  identity,
  matrix,
  multiply,
  orthonormalColumns,
  randomMatrix,
  scale,
  sliceColumns,
  transpose,
  withSingularValues,
  zeros,
} from "../tests/reference/matrix.ts";
import { createRandom } from "./random.ts";
import {
  divideRowsOnHost,
  leftVectorsOnHost,
  orthonormalBasis,
  singularValuesOnHost,
  smallestEigenvectorsOnHost,
  thinQrOnHost,
  type TruncatedSvd,
  truncatedSvdOnHost,
} from "./svd.ts";

/** The factors as matrices. */
function factors({ left, values, right }: TruncatedSvd, rows: number, columns: number) {
  const count = values.length;
  return { left: matrix(rows, count, left), right: matrix(count, columns, right), values };
}

const SHAPES = [[1, 1], [1, 7], [7, 1], [5, 3], [3, 5], [31, 17], [17, 31], [64, 64]] as const;

Deno.test("singularValuesOnHost() gives the values of the decomposition, of tall, wide and deficient matrices", () => {
  for (const [rows, columns] of SHAPES) {
    const m = randomMatrix(rows, columns, createRandom(rows * 100 + columns));
    const values = singularValuesOnHost(m);
    assertEquals(values.length, Math.min(rows, columns));
    assertClose(values, truncatedSvdOnHost(m, values.length).values, { relative: 1e-13 });
  }
  const deficient = withSingularValues(17, 31, [3, 2, 1], createRandom(4));
  assertClose(singularValuesOnHost(deficient).slice(0, 4), [3, 2, 1, 0], { relative: 1e-13 });
  assertEquals([...singularValuesOnHost(zeros(3, 5))], [0, 0, 0]);
});

Deno.test("truncatedSvdOnHost() gives orthonormal vectors whose product is the matrix, whatever its shape", () => {
  for (const [rows, columns] of SHAPES) {
    const m = randomMatrix(rows, columns, createRandom(rows * 100 + columns)),
      count = Math.min(rows, columns);
    const { left, right, values } = factors(truncatedSvdOnHost(m, count), rows, columns);
    // float64 rounding times a few hundred operations.
    assertClose(multiply(left, left, { transposeA: true }).data, identity(count).data, { relative: 1e-13 });
    assertClose(multiply(right, right, { transposeB: true }).data, identity(count).data, { relative: 1e-13 });
    const scaled = matrix(rows, count, left.data.map((value, i) => value * values[i % count]!));
    assertClose(multiply(scaled, right).data, m.data, { relative: 1e-13 });
    assertEquals(values, values.toSorted((a, b) => b - a));
  }
});

Deno.test("truncatedSvdOnHost() cuts off all but the largest values and finds those it was given", () => {
  const wanted = [9, 4, 1, 0.5, 1e-3];
  const m = withSingularValues(20, 13, wanted, createRandom(1));
  for (const count of [1, 2, 5]) {
    const { values, left, right } = truncatedSvdOnHost(m, count);
    assertClose(values, wanted.slice(0, count), { relative: 1e-13 });
    assertEquals([left.length, right.length], [20 * count, 13 * count]);
  }
});

Deno.test("truncatedSvdOnHost() fixes signs: each right vector's largest entry is positive, for the matrix and its negative", () => {
  for (const [rows, columns] of SHAPES) {
    const m = randomMatrix(rows, columns, createRandom(rows + columns)), count = Math.min(rows, columns, 4);
    const found = factors(truncatedSvdOnHost(m, count), rows, columns);
    const negative = factors(truncatedSvdOnHost(scale(m, -1), count), rows, columns);
    for (let k = 0; k < count; k++) {
      const vector = found.right.data.subarray(k * columns, (k + 1) * columns);
      assertEquals(Math.max(...vector), Math.max(...vector.map(Math.abs)));
    }
    assertClose(negative.right.data, found.right.data, { relative: 1e-12 });
    assertClose(negative.left.data, scale(found.left, -1).data, { relative: 1e-12 });
  }
});

Deno.test("truncatedSvdOnHost() stays finite for matrices of low rank and for zero", () => {
  const low = multiply(randomMatrix(12, 2, createRandom(1)), randomMatrix(2, 9, createRandom(2)));
  for (const m of [low, transpose(low), zeros(6, 4), zeros(4, 6)]) {
    const { left, values, right } = truncatedSvdOnHost(m, 4);
    assert([...left, ...values, ...right].every(Number.isFinite));
    assert(values[2]! <= 1e-14 * Math.max(values[0]!, 1), `${values}`);
  }
});

Deno.test("leftVectorsOnHost() gives the left vectors of the decomposition, but for signs, of tall and of wide matrices", () => {
  for (const [rows, columns] of [[9, 5], [5, 9], [6, 6]] as const) {
    const matrix = { rows, columns, data: createRandom(rows).normal(rows * columns, 1) };
    const wanted = truncatedSvdOnHost(matrix, 4).left, found = leftVectorsOnHost(matrix, 4);
    for (let k = 0; k < 4; k++) {
      let cosine = 0, norm = 0;
      for (let i = 0; i < rows; i++) {
        cosine += wanted[i * 4 + k]! * found[i * 4 + k]!;
        norm += found[i * 4 + k]! ** 2;
      }
      assertClose([Math.abs(cosine), norm], [1, 1], { relative: 1e-9 });
    }
  }
});

Deno.test("truncatedSvdOnHost() refuses more vectors than there are", () => {
  for (const count of [0, 4, NaN]) {
    assertThrows(
      () => truncatedSvdOnHost(zeros(3, 5), count),
      RangeError,
      `Cannot take ${count} singular vectors of a [3, 5]`,
    );
  }
});

Deno.test("orthonormalBasis() spans the columns, and is orthonormal where they depend on each other", () => {
  const independent = randomMatrix(19, 5, createRandom(3));
  const low = multiply(randomMatrix(19, 2, createRandom(4)), randomMatrix(2, 5, createRandom(5)));
  for (const m of [independent, low, zeros(19, 5)]) {
    const basis = matrix(19, 5, orthonormalBasis(m));
    assertClose(multiply(basis, basis, { transposeA: true }).data, identity(5).data, { relative: 1e-13 });
    assertClose(multiply(basis, multiply(basis, m, { transposeA: true })).data, m.data, {
      relative: 1e-13,
      absolute: 1e-300,
    });
  }
});

Deno.test("thinQrOnHost() gives the first columns of Q and rows of R, with a positive diagonal, of tall and wide matrices", () => {
  for (const [rows, columns] of SHAPES) {
    const m = randomMatrix(rows, columns, createRandom(rows * 100 + columns)), all = Math.min(rows, columns);
    for (const count of new Set([1, Math.ceil(all / 2), all])) {
      const found = thinQrOnHost(m, count),
        q = matrix(rows, count, found.q),
        r = matrix(count, columns, found.r);
      assertClose(multiply(q, q, { transposeA: true }).data, identity(count).data, { relative: 1e-13 });
      assertClose(multiply(q, m, { transposeA: true }).data, r.data, { relative: 1e-13 });
      const first = sliceColumns(r, 0, count);
      assertClose(multiply(q, first).data, sliceColumns(m, 0, count).data, { relative: 1e-13 });
      first.data.forEach((value, k) => {
        const i = Math.floor(k / count), j = k % count;
        if (i > j) assert(Math.abs(value) < 1e-13, `${i}, ${j}`);
        if (i === j) assert(value > 0, `${i}`);
      });
    }
  }
});

Deno.test("smallestEigenvectorsOnHost() gives orthonormal rows that the matrix stretches least, smallest first", () => {
  const vectors = orthonormalColumns(6, 6, createRandom(8)), values = [5, 0.5, 3, 0.25, 4, 2];
  const stretched = { ...vectors, data: vectors.data.map((value, k) => value * values[k % 6]!) };
  const symmetric = multiply(stretched, vectors, { transposeB: true });
  const found = matrix(3, 6, smallestEigenvectorsOnHost(symmetric, 3));
  // 0.25 and 0.5 are at most a tenth of 5.
  assertEquals(smallestEigenvectorsOnHost(symmetric, 1, 0.1001), found.data.slice(0, 12));
  assertEquals(smallestEigenvectorsOnHost(symmetric, 3, 0.1001), found.data);
  // By the places of the three smallest values, up to sign.
  const wanted = [3, 1, 5].map((k) => sliceColumns(vectors, k, k + 1));
  wanted.forEach((vector, k) => {
    assertClose(
      [Math.abs(multiply(matrix(1, 6, found.data.slice(6 * k, 6 * k + 6)), vector).data[0]!)],
      [1],
      { relative: 1e-13 },
    );
  });
});

Deno.test("divideRowsOnHost() undoes the product with a positive definite matrix, and refuses others", () => {
  const root = randomMatrix(7, 7, createRandom(3)), rows = randomMatrix(2, 7, createRandom(4));
  const by = multiply(root, root, { transposeA: true });
  const symmetric = { ...by, data: by.data.map((value, k) => (value + transpose(by).data[k]!) / 2) };
  assertClose(divideRowsOnHost(multiply(rows, symmetric).data, symmetric), rows.data, { relative: 1e-10 });
  assertThrows(
    () => divideRowsOnHost(rows.data, zeros(7, 7)),
    RangeError,
    "Cannot divide by a [7, 7] matrix that is not positive definite",
  );
});
