import { assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { matrix, randomMatrix } from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { adamwUpdate } from "./adamw.ts";

Deno.test("adamwUpdate() agrees with float64 over five steps, with and without weight decay", async () => {
  const gpu = await testGpu();
  for (const count of [1, 4, 67, 1009]) {
    for (
      const options of [
        { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
        { learningRate: 0.3, beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.1 },
      ]
    ) {
      using _ = gpu.scope("adamw");
      const random = createRandom(count);
      let wanted = randomMatrix(1, count, random.fork("p")), moments: AdamMoments | undefined;
      const parameter = upload(gpu, wanted, "p"), m = gpu.zeros([count], "m"), v = gpu.zeros([count], "v");
      for (let step = 1; step <= 5; step++) {
        // Gradients of very different sizes: Adam divides by them.
        const g = randomMatrix(1, count, random.fork(`g ${step}`), 10 ** (step - 4));
        ({ parameter: wanted, moments } = adamwStep(wanted, g, moments, options));
        adamwUpdate(gpu, { parameter, gradient: upload(gpu, g, "g"), m, v }, { ...options, step });
      }
      const [p, first, second] = await gpu.downloadAll([parameter, m, v]);
      // Five updates, each rounded to f32; the betas too, which shows most where 1 - beta2 is small: 2^-24 / 0.001.
      assertClose(p!, wanted.data, { relative: 3e-6 });
      assertClose(first!, moments!.first.data, { relative: 2e-6 });
      assertClose(second!, moments!.second.data, { relative: 1e-4 });
    }
  }
});

Deno.test("adamwUpdate() moves by the learning rate at first, whatever the gradient's size, and not where it is 0", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("adamw");
  const gradients = [1e-6, -1e-3, 1, -1e6, 1e15, 0], count = gradients.length;
  const parameter = gpu.zeros([count], "p"), m = gpu.zeros([count], "m"), v = gpu.zeros([count], "v");
  const gradient = upload(gpu, matrix(1, count, gradients), "g");
  const options = { learningRate: 0.5, beta1: 0.9, beta2: 0.999, epsilon: 1e-12, weightDecay: 0, step: 1 };
  adamwUpdate(gpu, { parameter, gradient, m, v }, options);
  const out = await gpu.download(parameter);
  // 1 - beta2 is rounded to 24 bits of beta2: 3e-5 of the second moment.
  assertClose(out, gradients.map((g) => -0.5 * Math.sign(g)), { relative: 3e-5 });
  assertEquals(out[5], 0);
});
