import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/assert_close.ts";
import {
  fromRows,
  type Matrix,
  matrix,
  randomMatrix,
  scale,
  toRows,
  zip,
} from "../tests/reference/matrix.ts";
import { softmax } from "../tests/reference/network.ts";
import { testGpu } from "../tests/test_gpu.ts";
import { stretchOf, upload } from "../tests/upload.ts";
import { softmaxBackwardInPlace, softmaxInPlace } from "./softmax.ts";

const SHAPES = [[1, 1], [1, 1009], [3, 64], [5, 65], [67, 7], [130, 200], [2, 4099]] as const;
const LANES = [1, 4, 64] as const;

/** Softmax where row r sees the columns up to columns − queries + r mod queries. */
function causalSoftmax(x: Matrix, queries: number): Matrix {
  return fromRows(
    toRows(x).map((row, r) => {
      const seen = x.columns - queries + r % queries + 1;
      return [...softmax(matrix(1, seen, row.slice(0, seen))).data, ...row.slice(seen).map(() => 0)];
    }),
  );
}

/** p (g − Σ p g), row by row. */
function backward(p: Matrix, g: Matrix): Matrix {
  const sums = toRows(zip(p, g, (a, b) => a * b)).map((row) => row.reduce((a, b) => a + b, 0));
  return { ...p, data: p.data.map((value, i) => value * (g.data[i]! - sums[Math.floor(i / p.columns)]!)) };
}

Deno.test("softmaxInPlace() agrees with float64 for any rows, columns and lanes", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    const m = randomMatrix(rows, columns, createRandom(rows + columns), 3);
    for (const lanes of LANES) {
      using _ = gpu.scope("softmax");
      const x = upload(gpu, m, "x");
      softmaxInPlace(gpu, x, { lanes });
      // exp of WGSL may err by 3 + 2 |x| units of 2^-24, here to about 2e-6 of the largest.
      assertClose(
        await gpu.download(x),
        softmax(m).data,
        { relative: 3e-6 },
        `${rows} x ${columns}, ${lanes} lanes`,
      );
    }
  }
});

Deno.test("softmaxInPlace() hides later columns from each query: square, tall and with more columns than queries", async () => {
  const gpu = await testGpu();
  for (
    const [rows, columns, queries] of [[1, 1, 1], [6, 3, 3], [65, 13, 13], [14, 101, 7], [10, 7, 1], [
      130,
      130,
      65,
    ]] as const
  ) {
    const m = randomMatrix(rows, columns, createRandom(rows), 2);
    for (const lanes of LANES) {
      using _ = gpu.scope("softmax");
      const x = upload(gpu, m, "x");
      softmaxInPlace(gpu, x, { lanes, causalQueries: queries });
      const found = await gpu.download(x), wanted = causalSoftmax(m, queries).data;
      assertClose(
        found,
        wanted,
        { relative: 2e-6 },
        `${rows} x ${columns}, ${queries} queries, ${lanes} lanes`,
      );
      assertEquals(found.findIndex((value, i) => wanted[i] === 0 && value !== 0), -1);
    }
  }
});

Deno.test("softmaxInPlace() stays finite for huge scores, and is not finite where a score is not", async () => {
  const gpu = await testGpu();
  for (const lanes of LANES) {
    using _ = gpu.scope("softmax");
    const rows = [[3e38, 3e38, -3e38], [-1e30, -1e30, -1e30], [5, -Infinity, 5], [1, 2, 3], [NaN, 0, 0], [
      0,
      1,
      NaN,
    ], [Infinity, 0, 0]];
    const x = gpu.upload(Float32Array.from(rows.flat()), "f32", [7, 3], "x");
    softmaxInPlace(gpu, x, { lanes });
    const out = await gpu.download(x), third = 1 / 3;
    assertClose(out.subarray(0, 9), [0.5, 0.5, 0, third, third, third, 0.5, 0, 0.5], { relative: 1e-6 });
    assertClose(out.subarray(9, 12), softmax(fromRows([[1, 2, 3]])).data, { relative: 1e-6 });
    for (const row of [4, 5, 6]) {
      assertEquals(
        out.subarray(3 * row, 3 * row + 3).every(Number.isFinite),
        false,
        `row ${row}, ${lanes} lanes`,
      );
    }
  }
});

Deno.test("softmaxInPlace() and softmaxBackwardInPlace() reach every row beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  for (const [rows, lanes] of [[65_535 + 5_003, 64], [65_535 * 64 + 1_777, 1]] as const) {
    using _ = gpu.scope("many rows");
    const at = (i: number) => Math.fround((i % 65_521) / 16_384);
    const data = new Float32Array(2 * rows);
    for (let i = 0; i < data.length; i++) data[i] = at(i);
    const x = gpu.upload(data, "f32", [rows, 2], "x"), g = gpu.upload(data, "f32", [rows, 2], "g");
    softmaxInPlace(gpu, x, { lanes });
    softmaxBackwardInPlace(gpu, x, g, { lanes });
    for (const first of [0, Math.floor(rows / 128) * 64, rows - rows % 32 - 32]) {
      const count = Math.min(64, rows - first);
      const m = matrix(count, 2, data.subarray(2 * first, 2 * first + 2 * count)), p = softmax(m);
      const [found, gradient] = await gpu.downloadAll([x, g].map((t) => stretchOf(t, 2 * first, 2 * count)));
      assertClose(found!, p.data, { relative: 2e-6 }, `rows from ${first}`);
      assertClose(gradient!, backward(p, m).data, { relative: 2e-6, absolute: 1e-6 }, `rows from ${first}`);
    }
  }
});

Deno.test("softmaxBackwardInPlace() agrees with float64 for any rows, columns and lanes", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    const random = createRandom(rows * columns);
    const p = softmax(randomMatrix(rows, columns, random.fork("p"))),
      rounded = matrix(rows, columns, Float32Array.from(p.data));
    const g = scale(randomMatrix(rows, columns, random.fork("g")), 4);
    for (const lanes of LANES) {
      using _ = gpu.scope("softmaxBackward");
      const gradient = upload(gpu, g, "g");
      softmaxBackwardInPlace(gpu, upload(gpu, rounded, "p"), gradient, { lanes });
      // One column alone has p = 1 and no gradient: only rounding is left of 4.
      assertClose(await gpu.download(gradient), backward(rounded, g).data, {
        relative: 2e-6,
        absolute: columns === 1 ? 1e-6 : 0,
      });
    }
  }
});

Deno.test("softmaxInPlace() refuses queries that would see nothing", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const x = gpu.empty([8, 3], "scores");
  for (const causalQueries of [0, 4, NaN]) {
    assertThrows(
      () => softmaxInPlace(gpu, x, { causalQueries }),
      RangeError,
      `Cannot mask "scores" [8,3] for ${causalQueries} queries: 1 to 3 are allowed`,
    );
  }
});
