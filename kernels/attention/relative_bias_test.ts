import { assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { add, randomMatrix, zeros } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { relativeBias, relativeBiasBackward } from "./relative_bias.ts";

Deno.test("relativeBias() and its gradient agree with float64, for one key and many, alone and added", async () => {
  const gpu = await testGpu();
  for (
    const [queries, keys, heads] of [[1, 1, 1], [1, 130, 2], [67, 1, 3], [31, 19, 5], [64, 64, 4]] as const
  ) {
    using _ = gpu.scope("relative bias");
    const distances = queries + keys - 1, random = createRandom(keys);
    const values = randomMatrix(distances, heads, random.fork("values"));
    const g = randomMatrix(heads * queries, keys, random.fork("g"));
    const before = randomMatrix(distances, heads, random.fork("before"));
    const wanted = zeros(distances, heads);
    g.data.forEach((entry, i) => {
      const k = i % keys, q = Math.floor(i / keys) % queries, h = Math.floor(i / (keys * queries));
      wanted.data[(k - q + queries - 1) * heads + h]! += entry;
    });
    const onGpu = upload(gpu, g, "g", [heads, queries, keys]);
    const alone = upload(gpu, before, "alone"), added = upload(gpu, before, "added");
    relativeBiasBackward(gpu, onGpu, alone, false);
    relativeBiasBackward(gpu, onGpu, added, true);
    const [out, one, sum] = await gpu.downloadAll([
      relativeBias(gpu, upload(gpu, values, "values"), queries, keys),
      alone,
      added,
    ]);
    // Copies, and sums of up to 64 terms.
    assertClose(out!, reference.relativeBias(values, queries, keys).data, { relative: 0 });
    assertClose(one!, wanted.data, { relative: 2e-6 });
    assertClose(sum!, add(before, wanted).data, { relative: 2e-6 });
  }
});

Deno.test("relativeBias() and its gradient reach every row and every distance beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many", "scratch");
  const queries = 70_001, keys = 3, heads = 64, random = createRandom(1);
  const values = randomMatrix(queries + keys - 1, heads, random);
  const out = relativeBias(gpu, upload(gpu, values, "values"), queries, keys);
  const sums = gpu.empty([queries + keys - 1, heads], "sums");
  relativeBiasBackward(gpu, out, sums, false);
  const count = heads * queries * keys;
  for (
    const first of [0, 65_535 * keys - keys * 64, 64 * Math.floor(count / 128), count - count % 64 - 128]
  ) {
    const at = first - first % 64, found = await gpu.download(stretchOf(out, at, 128));
    const wanted = found.map((_, i) => {
      const k = (at + i) % keys, row = Math.floor((at + i) / keys);
      return values.data[(k - row % queries + queries - 1) * heads + Math.floor(row / queries)]!;
    });
    assertEquals(found, wanted);
  }
  // Each distance occurs three times, but for those at both ends.
  for (const distance of [0, 1, 2, 35_000, 65_540, queries, queries + 1]) {
    const times = Math.min(distance + 1, keys, queries + keys - 1 - distance);
    const found = await gpu.download(stretchOf(sums, distance * heads, heads));
    const own = values.data.subarray(distance * heads, (distance + 1) * heads);
    assertClose(found, own.map((value) => times * value), { relative: 3e-7 });
  }
});
