import { assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { attachToQuadratics, type QuadraticRun } from "../../tests/support/quadratic.ts";
import { randomMatrix, roundToFloat32 } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { loraPro } from "./lora_pro.ts";
import { loraRite } from "../lora_rite/lora_rite.ts";
import type { OptimizerModule } from "../optimizer.ts";

for (const module of [loraPro, loraRite] as readonly OptimizerModule[]) {
  Deno.test(`${module.id} above rank 12 goes on from its state bit by bit, and does not go elsewhere where it was looked at`, async () => {
    const gpu = await testGpu(), random = createRandom(7), rank = 16, rate = 0.01;
    using _ = gpu.scope("warm starts of a method");
    const maps = [[40, 24], [20, 33]].map(([rows, columns]) => ({
      base: randomMatrix(rows!, columns!, random),
      target: randomMatrix(rows!, columns!, random),
      a: roundToFloat32(randomMatrix(rank, columns!, random)),
      b: roundToFloat32(randomMatrix(rows!, rank, random)),
    }));
    const attach = () => attachToQuadratics(gpu, module, { rank }, maps);
    const kept = ({ optimizer }: QuadraticRun) =>
      [...optimizer.trainable, ...optimizer.state].map(({ value }) => value);
    const first = await attach(), other = await attach();
    for (let step = 1; step <= 3; step++) {
      await first.step(step, rate);
      await first.gradients();
    }
    const saved = await gpu.downloadAll(kept(first));
    for (let step = 4; step <= 6; step++) {
      await first.step(step, rate);
      await first.gradients();
    }
    kept(other).forEach((tensor, i) => gpu.write(tensor, saved[i]! as Float32Array<ArrayBuffer>));
    for (let step = 4; step <= 6; step++) await other.step(step, rate);
    assertEquals(await other.read(), await first.read());
  });
}
