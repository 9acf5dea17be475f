import { assertEquals } from "@std/assert";
import { LOW_PRECISIONS, lowPrecision } from "../../gpu/tensor.ts";
import { fromInt8, toInt8 } from "../../numerics/int8.ts";
import { fromNf4, toNf4 } from "../../numerics/nf4.ts";
import { createRandom } from "../../numerics/random.ts";
import { add, randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { gatherRows, gatherStoredRows } from "./gather_rows.ts";

Deno.test("gatherRows() sums the chosen rows: none, one, several and the same one twice", async () => {
  const gpu = await testGpu();
  for (const columns of [1, 4, 7, 64, 257]) {
    const x = randomMatrix(5, columns, createRandom(columns)),
      before = randomMatrix(6, columns, createRandom(1));
    const offsets = Uint32Array.of(0, 0, 1, 4, 4, 6, 6), sources = Uint32Array.of(4, 0, 1, 0, 2, 2);
    const wanted = reference.gatherRows(x, offsets, sources);
    using _ = gpu.scope("gatherRows");
    const choice = {
      rows: 6,
      offsets: gpu.upload(offsets, "u32", [7], "offsets"),
      sources: gpu.upload(sources, "u32", [6], "sources"),
    };
    const on = upload(gpu, x, "x"), into = upload(gpu, before, "into");
    const out = gatherRows(gpu, on, choice);
    assertEquals(out.shape, [6, columns]);
    // At most three terms a sum.
    assertClose(await gpu.download(out), wanted.data, { relative: 2e-7 });
    gatherRows(gpu, on, choice, { into, accumulate: true });
    assertClose(await gpu.download(into), add(before, wanted).data, { relative: 3e-7 });
    gatherRows(gpu, on, choice, { into });
    assertClose(await gpu.download(into), wanted.data, { relative: 2e-7 });
  }
});

Deno.test("gatherRows() reaches every row beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many rows");
  const rows = 70_001, columns = 61, x = randomMatrix(1009, columns, createRandom(1));
  const choice = {
    rows,
    offsets: gpu.upload(Uint32Array.from({ length: rows + 1 }, (_, i) => i), "u32", [rows + 1], "offsets"),
    sources: gpu.upload(Uint32Array.from({ length: rows }, (_, i) => i % 1009), "u32", [rows], "sources"),
  };
  const out = gatherRows(gpu, upload(gpu, x, "x"), choice);
  for (const first of [0, 65_535 * 64 - 64, rows * columns - rows * columns % 64]) {
    const found = await gpu.download(stretchOf(out, first, Math.min(128, rows * columns - first)));
    assertEquals(
      found,
      found.map((_, i) =>
        x.data[(Math.floor((first + i) / columns) % 1009) * columns + (first + i) % columns]!
      ),
    );
  }
});

Deno.test("gatherStoredRows() sums rows as they are kept, whatever their length", async () => {
  const gpu = await testGpu();
  for (const columns of [1, 4, 7, 64, 66, 257]) {
    const x = randomMatrix(5, columns, createRandom(columns)), data = Float32Array.from(x.data);
    const offsets = Uint32Array.of(0, 0, 1, 4, 4, 6, 6), sources = Uint32Array.of(4, 0, 1, 0, 2, 2);
    const kept = {
      f16: Float64Array.from(new Float16Array(data)),
      int8: fromInt8(toInt8(data), data.length),
      nf4: fromNf4(toNf4(data), data.length),
    };
    for (const type of LOW_PRECISIONS) {
      using _ = gpu.scope("gatherStoredRows");
      const table = gpu.empty([5, columns], "table", type);
      gpu.write(table, lowPrecision(data, type));
      const out = gatherStoredRows(gpu, table, {
        rows: 6,
        offsets: gpu.upload(offsets, "u32", [7], "offsets"),
        sources: gpu.upload(sources, "u32", [6], "sources"),
      });
      assertEquals(out.shape, [6, columns]);
      const wanted = reference.gatherRows({ ...x, data: kept[type] }, offsets, sources);
      // A number and its size are a product each, and at most three are added.
      assertClose(await gpu.download(out), wanted.data, { relative: 1e-6 }, `${type}, ${columns} columns`);
    }
  }
});
