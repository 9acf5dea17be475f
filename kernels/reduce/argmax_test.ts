import { assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { randomMatrix } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { argmax } from "./argmax.ts";

Deno.test("argmax() finds the first of the largest in each row", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("argmax");
  const rows = [
    [1, 3, 3, 2],
    [-5, -5, -5, -5],
    [-3, -2, -1, -2],
    [-Infinity, -Infinity, -Infinity, -Infinity],
    [0, -0, 0, 0],
    [9, 0, 9, Infinity],
  ];
  const x = gpu.upload(Float32Array.from(rows.flat()), "f32", [2, 3, 4], "x");
  const out = argmax(gpu, x);
  assertEquals([out.shape, await gpu.download(out)], [[6], Int32Array.of(1, 0, 2, 0, 0, 3)]);
  for (const [rows, columns] of [[1, 1], [1, 1009], [67, 5], [130, 64]] as const) {
    const m = randomMatrix(rows, columns, createRandom(columns));
    const wanted = Int32Array.from({ length: rows }, (_, r) => {
      const row = m.data.subarray(r * columns, (r + 1) * columns);
      return row.indexOf(Math.max(...row));
    });
    assertEquals(await gpu.download(argmax(gpu, upload(gpu, m, "x"))), wanted);
  }
});

Deno.test("argmax() reaches every row beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many rows");
  const rows = 65_535 * 64 + 1_777, data = new Float32Array(2 * rows);
  for (let row = 0; row < rows; row++) data[2 * row + row % 3 % 2] = 1;
  const out = argmax(gpu, gpu.upload(data, "f32", [rows, 2], "x"));
  for (const first of [0, 32_768 * 64, 65_535 * 64 - 64, rows - rows % 64]) {
    const found = await gpu.download(stretchOf(out, first, Math.min(128, rows - first)));
    assertEquals(found, found.map((_, i) => (first + i) % 3 % 2));
  }
});
