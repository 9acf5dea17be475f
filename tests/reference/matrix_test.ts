import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../support/assert_close.ts";
import { svd } from "./decompositions.ts";
import {
  fromFloat32,
  fromRows,
  identity,
  matrix,
  multiply,
  orthonormalColumns,
  randomMatrix,
  roundToFloat32,
  sliceColumns,
  sliceRows,
  toFloat32,
  toRows,
  transpose,
  withSingularValues,
} from "./matrix.ts";

const random = createRandom(11);

Deno.test("multiply() transposes either operand", () => {
  const a = fromRows([[1, 2, 3], [4, 5, 6]]), b = fromRows([[1, 0, -1], [2, 1, 0]]);
  assertEquals(toRows(multiply(a, b, { transposeB: true })), [[-2, 4], [-2, 13]]);
  assertEquals(toRows(multiply(a, b, { transposeA: true })), [[9, 4, -1], [12, 5, -2], [15, 6, -3]]);
  assertEquals(multiply(a, b, { transposeA: true, transposeB: false }), multiply(transpose(a), b));
  assertThrows(() => multiply(a, b), RangeError, "inner sizes differ");
});

Deno.test("sliceRows() and sliceColumns() keep their range", () => {
  const m = fromRows([[1, 2, 3], [4, 5, 6], [7, 8, 9]]);
  assertEquals(toRows(sliceRows(m, 1, 3)), [[4, 5, 6], [7, 8, 9]]);
  assertEquals(toRows(sliceColumns(m, 1, 2)), [[2], [5], [8]]);
});

Deno.test("toFloat32() and fromFloat32() are inverse for f32 numbers, which randomMatrix() makes", () => {
  const m = randomMatrix(3, 5, random);
  assertEquals(fromFloat32(toFloat32(m), 3, 5), m);
  assertEquals(roundToFloat32(m), m);
  assertThrows(() => matrix(2, 2, [1, 2, 3]), RangeError, "[2, 2]");
});

Deno.test("orthonormalColumns() has orthonormal columns", () => {
  for (const [rows, columns] of [[1, 1], [7, 3], [13, 13]] as const) {
    const q = orthonormalColumns(rows, columns, random);
    assertClose(multiply(q, q, { transposeA: true }).data, identity(columns).data, { relative: 1e-14 });
  }
});

Deno.test("withSingularValues() has the values that it was asked for, then zeros", () => {
  for (const [rows, columns] of [[5, 9], [9, 5], [5, 5]] as const) {
    const { values } = svd(withSingularValues(rows, columns, [3, 1, 1e-4], random));
    assertClose(values, [3, 1, 1e-4, 0, 0], { relative: 1e-15 });
  }
  assertThrows(() => withSingularValues(2, 9, [3, 2, 1], random), RangeError);
});
