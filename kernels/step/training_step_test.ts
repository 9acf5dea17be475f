import { assert, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { randomMatrix } from "../../tests/reference/matrix.ts";
import { clipByGlobalNorm } from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { dot } from "../reduce/reduce.ts";
import { clip, recordStep } from "./training_step.ts";

Deno.test("clip() scales down to the limit as float64 does and keeps the bits of what is short enough", async () => {
  const gpu = await testGpu();
  for (const count of [1, 3, 4, 257, 1009]) {
    using _ = gpu.scope("clip");
    const m = randomMatrix(1, count, createRandom(count)), length = Math.hypot(...m.data);
    for (const limit of [length / 3, length * 1.01, 1e9]) {
      const x = upload(gpu, m, "x");
      clip(gpu, x, dot(gpu, x, x), limit);
      const found = await gpu.download(x);
      // The norm of a thousand squares in f32.
      assertClose(found, clipByGlobalNorm([m], limit).gradients[0]!.data, { relative: 1e-6 });
      if (limit > length) assertEquals(found, Float32Array.from(m.data));
    }
    const zero = gpu.zeros([count], "zero");
    clip(gpu, zero, dot(gpu, zero, zero), 1);
    assertEquals(await gpu.download(zero), new Float32Array(count));
  }
});

Deno.test("recordStep() notes losses by slot and the first step with a loss or norm that is not finite", async () => {
  const gpu = await testGpu();
  const bits = (...words: number[]) => new Float32Array(Uint32Array.from(words).buffer);
  // Quiet and signalling NaNs of both signs, both infinities.
  for (
    const [bad] of [0x7fc00000, 0xffc00000, 0x7f800001, 0xff812345, 0x7f800000, 0xff800000].map((word) =>
      bits(word)
    )
  ) {
    for (const place of ["loss", "squaredNorm"] as const) {
      using _ = gpu.scope("recordStep");
      const losses = gpu.zeros([6], "losses"),
        diverged = gpu.upload(Uint32Array.of(0), "u32", [1], "diverged");
      const steps = [3.4028234663852886e38, -1.5, 7, bad!, 1, bad!];
      for (const [i, value] of steps.entries()) {
        const one = gpu.upload(Float32Array.of(value), "f32", [1], "value"),
          fine = gpu.upload(Float32Array.of(i), "f32", [1], "fine");
        const tensors = place === "loss"
          ? { loss: one, squaredNorm: fine }
          : { loss: fine, squaredNorm: one };
        recordStep(gpu, { ...tensors, losses, diverged }, { slot: i, step: 10 + i });
        assertEquals((await gpu.download(diverged))[0], i < 3 ? 0 : 13, `${bad} as ${place}, step ${i}`);
      }
      const noted = await gpu.download(losses);
      if (place === "squaredNorm") assertEquals(noted, Float32Array.of(0, 1, 2, 3, 4, 5));
      else {
        assertEquals(noted.subarray(0, 3), Float32Array.from(steps.slice(0, 3)));
        assert(!Number.isFinite(noted[3]) && noted[4] === 1);
      }
    }
  }
});
