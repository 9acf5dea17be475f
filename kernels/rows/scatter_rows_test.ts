import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload, uploadAngles } from "../../tests/support/upload.ts";
import { scatterRows } from "./scatter_rows.ts";

const THETA = 50;

Deno.test("scatterRows() puts each row in its place and leaves the others as they are", async () => {
  const gpu = await testGpu();
  for (const columns of [1, 3, 8, 67]) {
    using _ = gpu.scope("scatterRows");
    const x = randomMatrix(4, columns, createRandom(columns)),
      before = randomMatrix(6, columns, createRandom(1));
    const places = [5, 0, 3, 2], into = upload(gpu, before, "into");
    scatterRows(gpu, upload(gpu, x, "x"), gpu.upload(Uint32Array.from(places), "u32", [4], "places"), into);
    const wanted = Float32Array.from(before.data);
    places.forEach((place, row) =>
      wanted.set(x.data.subarray(row * columns, (row + 1) * columns), place * columns)
    );
    assertEquals(await gpu.download(into), wanted);
  }
});

Deno.test("scatterRows() rotates the heads of each row by that row's own position", async () => {
  const gpu = await testGpu();
  for (const [heads, size] of [[1, 2], [3, 6], [2, 8]] as const) {
    using _ = gpu.scope("scatterRows");
    const columns = heads * size, x = randomMatrix(3, columns, createRandom(size));
    const positions = [6, 0, 2], places = [1, 2, 0];
    const into = gpu.zeros([3, columns], "into");
    scatterRows(gpu, upload(gpu, x, "x"), gpu.upload(Uint32Array.from(places), "u32", [3], "places"), into, {
      positions: gpu.upload(Uint32Array.from(positions), "u32", [3], "positions"),
      angles: uploadAngles(gpu, 7, size, THETA),
    });
    const found = await gpu.download(into);
    positions.forEach((first, row) => {
      const one = { rows: 1, columns, data: x.data.slice(row * columns, (row + 1) * columns) };
      const wanted = reference.rotary(one, {
        batch: 1,
        length: 1,
        heads,
        headSize: size,
        theta: THETA,
        first,
      });
      const at = places[row]! * columns;
      assertClose(found.subarray(at, at + columns), wanted.data, { relative: 1e-6 }, `row ${row}`);
    });
  }
});

Deno.test("scatterRows() refuses tensors that do not fit", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("scatterRows");
  const x = gpu.zeros([2, 6], "x"), words = (count: number) => gpu.zeros([count], "words", "u32");
  const validate = (put: () => void) => assertThrows(put, RangeError, 'Cannot scatter "x" [2,6] to places');
  validate(() => scatterRows(gpu, x, words(3), gpu.zeros([4, 6], "into")));
  validate(() => scatterRows(gpu, x, words(2), gpu.zeros([4, 5], "into")));
  const into = gpu.zeros([4, 6], "into");
  validate(() =>
    scatterRows(gpu, x, words(2), into, { positions: words(2), angles: gpu.zeros([2, 2, 2], "a") })
  );
  validate(() =>
    scatterRows(gpu, x, words(2), into, { positions: words(1), angles: gpu.zeros([2, 1, 2], "a") })
  );
});
