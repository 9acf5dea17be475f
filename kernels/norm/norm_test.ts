import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { centralDifference } from "../../tests/support/central_difference.ts";
import {
  add,
  dot,
  fromRows,
  map,
  type Matrix,
  matrix,
  randomMatrix,
  sliceRows,
  toRows,
} from "../../tests/reference/matrix.ts";
import { layerNorm, rmsNorm } from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { addNorm, norm, normBackward } from "./norm.ts";

const SHAPES = [[1, 1], [1, 1009], [3, 64], [5, 65], [67, 7], [130, 200], [2, 4099]] as const;
const LANES = [1, 4, 64] as const;
const EPSILON = 1e-5;

interface Problem {
  readonly x: Matrix;
  readonly g: Matrix;
  readonly weight: Matrix;
  readonly bias: Matrix;
}

function problem(rows: number, columns: number): Problem {
  const random = createRandom(rows * 10_000 + columns);
  const draw = (label: string, count: number) => randomMatrix(count, columns, random.fork(label));
  return { x: draw("x", rows), g: draw("g", rows), weight: draw("weight", 1), bias: draw("bias", 1) };
}

function forward({ x, weight, bias }: Problem, center: boolean): Matrix {
  return center ? layerNorm(x, weight.data, bias.data, EPSILON) : rmsNorm(x, weight.data, EPSILON);
}

/** (w g − mean(w g) − n mean(w g n)) / deviation with n the normalized row; the first mean only with `center`. */
function backward({ x, g, weight }: Problem, center: boolean): Matrix {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const gradients = toRows(g);
  return fromRows(
    toRows(x).map((row, r) => {
      const middle = center ? mean(row) : 0;
      const deviation = Math.sqrt(mean(row.map((value) => (value - middle) ** 2)) + EPSILON);
      const n = row.map((value) => (value - middle) / deviation);
      const wg = gradients[r]!.map((value, j) => value * weight.data[j]!);
      const shift = center ? mean(wg) : 0, share = mean(wg.map((value, j) => value * n[j]!));
      return wg.map((value, j) => (value - shift - n[j]! * share) / deviation);
    }),
  );
}

Deno.test("norm() agrees with float64 for any rows, columns and lanes, with and without centre", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    const p = problem(rows, columns);
    for (const center of [false, true]) {
      for (const lanes of LANES) {
        using _ = gpu.scope("norm");
        const weight = upload(gpu, p.weight, "weight", [columns]),
          bias = upload(gpu, p.bias, "bias", [columns]);
        const { out } = norm(gpu, upload(gpu, p.x, "x"), weight, center ? bias : null, {
          epsilon: EPSILON,
          center,
          lanes,
        });
        // Sums of up to 4,099 squares in f32, and an inverse square root good to a few units of 2^-24.
        assertClose(
          await gpu.download(out),
          forward(p, center).data,
          { relative: 2e-6 },
          `${rows} x ${columns}, ${lanes} lanes`,
        );
      }
    }
  }
});

Deno.test("addNorm() agrees with float64 for any rows, columns and lanes: the sum and its norm, also in y's place", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    const p = problem(rows, columns), sum = map(add(p.x, p.g), Math.fround);
    for (const center of [false, true]) {
      for (const lanes of LANES) {
        using _ = gpu.scope("addNorm");
        const weight = upload(gpu, p.weight, "weight", [columns]),
          bias = upload(gpu, p.bias, "bias", [columns]);
        const options = { epsilon: EPSILON, center, lanes };
        const found = addNorm(
          gpu,
          upload(gpu, p.x, "x"),
          upload(gpu, p.g, "y"),
          weight,
          center ? bias : null,
          options,
        );
        const { statistics } = norm(gpu, found.sum, weight, null, options);
        const [total, out, ofSum, wanted] = await gpu.downloadAll([
          found.sum,
          found.out,
          found.statistics,
          statistics,
        ]);
        assertEquals(total, Float32Array.from(sum.data));
        const label = `${rows} x ${columns}, ${lanes} lanes, ${center}`;
        assertClose(out!, forward({ ...p, x: sum }, center).data, { relative: 2e-6 }, label);
        assertClose(ofSum!, wanted!, { relative: 1e-6, absolute: 1e-6 }, label);

        const x = upload(gpu, p.x, "x"), y = upload(gpu, p.g, "y");
        const over = addNorm(gpu, x, y, weight, center ? bias : null, { ...options, overwrite: true });
        assertEquals(over.sum, y);
        assertEquals(
          await gpu.downloadAll([x, y, over.out]),
          [Float32Array.from(p.x.data), total!, out!],
          label,
        );
      }
    }
  }
});

Deno.test("addNorm() refuses other shapes by both names", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const x = gpu.empty([2, 3], "x"), y = gpu.empty([3, 2], "y"), weight = gpu.empty([3], "weight");
  assertThrows(
    () => addNorm(gpu, x, y, weight, null, { epsilon: EPSILON, center: false }),
    RangeError,
    'Cannot add "x" [2,3] and "y" [3,2] before a norm: shapes differ',
  );
});

Deno.test("norm() keeps a small deviation around a large mean", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("norm");
  const p = problem(3, 257), x = map(p.x, (value) => Math.fround(value + 1000));
  const weight = upload(gpu, p.weight, "weight", [257]), bias = upload(gpu, p.bias, "bias", [257]);
  const { out } = norm(gpu, upload(gpu, x, "x"), weight, bias, { epsilon: EPSILON, center: true });
  // The mean itself is rounded to 6e-5 there, against a deviation of 1; a difference of squares would lose 0.06.
  assertClose(await gpu.download(out), forward({ ...p, x }, true).data, { relative: 3e-4 });
});

Deno.test("norm() and normBackward() reach every row beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  const rows = 65_535 + 5_003, p = problem(rows, 3);
  for (const center of [false, true]) {
    using _ = gpu.scope("many rows");
    const x = upload(gpu, p.x, "x"),
      weight = upload(gpu, p.weight, "weight", [3]),
      bias = upload(gpu, p.bias, "bias", [3]);
    const options = { epsilon: EPSILON, center, lanes: 64 };
    const { out, statistics } = norm(gpu, x, weight, center ? bias : null, options);
    // Rows of three may be nearly constant: 1 / deviation then magnifies rounding.
    assertClose(await gpu.download(out), forward(p, center).data, { relative: 2e-5 });
    const into = gpu.empty([rows, 3], "into");
    normBackward(gpu, upload(gpu, p.g, "g"), x, weight, statistics, { ...options, into, accumulate: false });
    for (const first of [0, 32_768, 65_536, rows - rows % 64]) {
      const count = Math.min(64, rows - first), part = (m: Matrix) => sliceRows(m, first, first + count);
      const wanted = backward({ ...p, x: part(p.x), g: part(p.g) }, center);
      assertClose(await gpu.download(stretchOf(into, 3 * first, 3 * count)), wanted.data, { relative: 2e-5 });
    }
  }
});

Deno.test("normBackward() agrees with float64 for any rows, columns and lanes, alone and added to what is there", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    const p = problem(rows, columns), before = randomMatrix(rows, columns, createRandom(1));
    for (const center of [false, true]) {
      const wanted = backward(p, center);
      for (const lanes of LANES) {
        for (const accumulate of [false, true]) {
          using _ = gpu.scope("normBackward");
          const x = upload(gpu, p.x, "x"), g = upload(gpu, p.g, "g"), into = upload(gpu, before, "into");
          const weight = upload(gpu, p.weight, "weight", [columns]),
            options = { epsilon: EPSILON, center, lanes };
          const { statistics } = norm(gpu, x, weight, null, options);
          normBackward(gpu, g, x, weight, statistics, { ...options, into, accumulate });
          // What remains of w g after taking its means away may be smaller than w g: absolute on top. One column
          // alone leaves epsilon's share of it, lost in rounding that 1 / deviation magnifies.
          assertClose(
            await gpu.download(into),
            (accumulate ? add(before, wanted) : wanted).data,
            { relative: 3e-6, absolute: columns === 1 ? 1e-3 : 3e-6 },
            `${rows} x ${columns}, ${lanes} lanes, ${center}`,
          );
        }
      }
    }
  }
});

Deno.test("normBackward()'s reference agrees with central differences", () => {
  for (const center of [false, true]) {
    const p = problem(3, 7);
    const slope = centralDifference(([x]) => dot(forward({ ...p, x: matrix(3, 7, x!) }, center), p.g), [
      p.x.data,
    ], 0);
    assertClose(backward(p, center).data, slope, { relative: 1e-8 });
  }
});

Deno.test("norm() refuses lanes that do not divide a workgroup into rows", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const x = gpu.empty([2, 3], "x"), weight = gpu.empty([3], "weight");
  for (const lanes of [0, 3, 128, 0.5, NaN]) {
    assertThrows(
      () => norm(gpu, x, weight, null, { epsilon: EPSILON, center: false, lanes }),
      RangeError,
      `Cannot share a row among ${lanes} lanes`,
    );
  }
});
