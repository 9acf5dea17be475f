import { createRandom } from "../../numerics/random.ts";
import { add, randomMatrix, scale } from "../../tests/reference/matrix.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { sgdUpdate } from "./sgd.ts";

Deno.test("sgdUpdate() steps against the direction and keeps a share of the parameter, at every length", async () => {
  const gpu = await testGpu();
  for (const count of [1, 3, 4, 257, 1009]) {
    using _ = gpu.scope("sgd");
    const p = randomMatrix(1, count, createRandom(count)),
      g = randomMatrix(1, count, createRandom(count + 1));
    const x = upload(gpu, p, "p"), direction = upload(gpu, g, "g");
    sgdUpdate(gpu, x, direction, 0.25);
    sgdUpdate(gpu, x, direction, -2, 0.5);
    // Two updates of two products and a sum.
    assertClose(await gpu.download(x), add(scale(add(p, g, -0.25), 0.5), g, 2).data, { relative: 3e-7 });
  }
});

Deno.test("sgdUpdate() reaches every element beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many");
  const count = 65_535 * 256 + 77_777, data = new Float32Array(count);
  for (let i = 0; i < count; i++) data[i] = i % 65_521;
  const p = gpu.upload(data, "f32", [count], "p");
  sgdUpdate(gpu, p, gpu.upload(data, "f32", [count], "g"), 0.25);
  for (const first of [0, 32_768 * 256, 65_535 * 256 - 64, count - count % 64]) {
    const found = await gpu.download(stretchOf(p, first, Math.min(128, count - first)));
    assertClose(found, found.map((_, i) => 0.75 * data[first + i]!), { relative: 1e-7 });
  }
});
