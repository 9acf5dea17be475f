import { createRandom } from "../../numerics/random.ts";
import { add, randomMatrix, scale } from "../../tests/reference/matrix.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
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
