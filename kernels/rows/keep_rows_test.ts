import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { keepRows } from "./keep_rows.ts";

Deno.test("keepRows() keeps rows where the other matrix has an entry, however small or senseless, and zeros the rest", async () => {
  const gpu = await testGpu();
  // Beyond 65,535 workgroups of 64 lanes.
  for (const [rows, columns] of [[1, 1], [7, 5], [130, 3], [64 * 65_536 + 3, 1]] as const) {
    using _ = gpu.scope("keepRows");
    const x = createRandom(rows).normal(Math.min(rows, 1000) * columns, 1);
    const all = Float32Array.from({ length: rows * columns }, (_, i) => x[i % x.length]!);
    const by = new Float32Array(rows * columns);
    const kept = (row: number) => row % 3 === 0 || row === rows - 1;
    const entries = [1e-30, -2, NaN, Infinity];
    for (let row = 0; row < rows; row++) {
      // The other rows have zeros of both signs.
      by[row * columns + row % columns] = kept(row) ? entries[row % entries.length]! : -0;
    }
    const found = await gpu.download(keepRows(
      gpu,
      gpu.upload(all, "f32", [rows, columns], "x"),
      gpu.upload(by, "f32", [rows, columns], "by"),
    ));
    const wrong = found.findIndex((value, i) => value !== (kept(Math.floor(i / columns)) ? all[i] : 0));
    assertEquals(wrong, -1, `[${rows}, ${columns}]`);
  }
  using _ = gpu.scope("refused");
  assertThrows(
    () => keepRows(gpu, gpu.zeros([4, 2], "x"), gpu.zeros([3, 2], "by")),
    RangeError,
    "Cannot keep rows of [4,2] by [3,2]: their shapes differ",
  );
});
