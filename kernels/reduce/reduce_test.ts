import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import * as reference from "../../tests/reference/matrix.ts";
import { add, map, type Matrix, multiply, randomMatrix, scale } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { columnSum, dot, dotInto, sumInto } from "./reduce.ts";

/** Below, at and beyond a chunk of 16 rows, a workgroup's lanes and 64 chunks. */
const SHAPES = [[1, 1], [1, 1009], [16, 4], [17, 5], [1000, 67], [1025, 3], [70_001, 2]] as const;

function columnSums(g: Matrix): Matrix {
  return multiply({ rows: 1, columns: g.rows, data: new Float64Array(g.rows).fill(1) }, g);
}

Deno.test("columnSum() agrees with float64, scaled, alone and added to what is there", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    const g = randomMatrix(rows, columns, createRandom(rows)),
      before = randomMatrix(1, columns, createRandom(1));
    const wanted = scale(columnSums(g), -0.5);
    for (const accumulate of [false, true]) {
      using _ = gpu.scope("columnSum");
      const into = upload(gpu, before, "into", [columns]);
      columnSum(gpu, upload(gpu, g, "g"), { into, accumulate, scale: -0.5 });
      // Terms of both signs cancel: the error is measured against the root of their number.
      assertClose(await gpu.download(into), (accumulate ? add(before, wanted) : wanted).data, {
        relative: 1e-6,
        absolute: 1e-6 * Math.sqrt(rows),
      });
    }
  }
});

Deno.test("columnSum() leaves alone what lies behind its sums", async () => {
  const gpu = await testGpu();
  for (const rows of [3, 1000]) {
    using _ = gpu.scope("columnSum");
    const all = gpu.upload(new Float32Array(64).fill(7), "f32", [64], "into");
    const g = upload(gpu, randomMatrix(rows, 5, createRandom(rows)), "g");
    columnSum(gpu, g, { into: { ...all, shape: [5] }, accumulate: false });
    const found = await gpu.download(all);
    assertEquals([...found.subarray(5)], Array(59).fill(7));
    assert(found.subarray(0, 5).every((value) => value !== 7));
  }
});

Deno.test("columnSum() of normalized rows agrees with float64", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    using _ = gpu.scope("columnSum");
    const random = createRandom(rows),
      draw = (label: string, width: number) => randomMatrix(rows, width, random.fork(label));
    const g = draw("g", columns), x = draw("x", columns), statistics = draw("statistics", 2);
    const into = gpu.empty([columns], "into");
    columnSum(gpu, upload(gpu, g, "g"), {
      into,
      accumulate: false,
      normalized: { x: upload(gpu, x, "x"), statistics: upload(gpu, statistics, "statistics") },
    });
    const rowOf = (i: number) => Math.floor(i / columns);
    const terms = {
      ...g,
      data: g.data.map((value, i) =>
        value * (x.data[i]! - statistics.data[2 * rowOf(i)]!) * statistics.data[2 * rowOf(i) + 1]!
      ),
    };
    assertClose(await gpu.download(into), columnSums(terms).data, {
      relative: 2e-6,
      absolute: 2e-6 * Math.sqrt(rows),
    });
  }
});

Deno.test("columnSum() reaches every column beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many columns");
  const columns = 65_535 * 64 + 1_777, data = new Float32Array(2 * columns);
  for (let i = 0; i < data.length; i++) data[i] = i % 65_521;
  const into = gpu.empty([columns], "into");
  columnSum(gpu, gpu.upload(data, "f32", [2, columns], "g"), { into, accumulate: false });
  for (const first of [0, 32_768 * 64, 65_535 * 64 - 64, columns - columns % 64]) {
    const count = Math.min(128, columns - first);
    const wanted = Float32Array.from(
      { length: count },
      (_, i) => data[first + i]! + data[columns + first + i]!,
    );
    // Whole numbers below 2^24: exact.
    assertEquals(await gpu.download(stretchOf(into, first, count)), wanted);
  }
});

Deno.test("dot(), dotInto() and sumInto() agree with float64 from one element to more than four million", async () => {
  const gpu = await testGpu();
  for (const count of [1, 3, 64, 65, 1009, 16_385, 65_535 * 64 + 77]) {
    using _ = gpu.scope("dot");
    const random = createRandom(count);
    // Of one sign, so that the relative error is that of the sum alone.
    const a = map(randomMatrix(1, count, random.fork("a")), Math.abs),
      b = map(randomMatrix(1, count, random.fork("b")), Math.abs);
    const x = upload(gpu, a, "a"),
      y = upload(gpu, b, "b"),
      scaled = gpu.empty([1], "scaled"),
      sum = gpu.empty([1], "sum");
    dotInto(gpu, x, y, scaled, -2);
    sumInto(gpu, x, sum, 0.5);
    const [product, twice, half] = await gpu.downloadAll([dot(gpu, x, y), scaled, sum]);
    const wanted = reference.dot(a, b), total = a.data.reduce((u, v) => u + v, 0);
    // 64 lanes of 256 groups: at most 257 terms one by one, then 64, then 256.
    assertClose(product!, [wanted], { relative: 2e-6 }, `${count} products`);
    assertClose(twice!, [-2 * wanted], { relative: 2e-6 });
    // 64 chunks, each one by one: 65,537 terms of 4 million numbers.
    assertClose(half!, [total / 2], { relative: count > 1e6 ? 1e-4 : 2e-6 }, `${count} terms`);
  }
});

Deno.test("dot() and sumInto() are not finite where an element is not", async () => {
  const gpu = await testGpu();
  for (const bad of [NaN, Infinity]) {
    using _ = gpu.scope("dot");
    const x = gpu.upload(Float32Array.from({ length: 131 }, (_, i) => i === 77 ? bad : 1), "f32", [131], "x");
    const sum = gpu.empty([1], "sum");
    sumInto(gpu, x, sum);
    for (const [value] of await gpu.downloadAll([dot(gpu, x, x), sum])) {
      assert(!Number.isFinite(value), `${value}`);
    }
  }
});

Deno.test("dot() refuses other element counts by both names", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const a = gpu.empty([2, 3], "a"), b = gpu.empty([5], "b");
  assertThrows(() => dot(gpu, a, b), RangeError, 'Cannot take the dot product of "a" [2,3] and "b" [5]');
});
