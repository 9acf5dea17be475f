import { assertEquals } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { attachToQuadratics } from "../tests/support/quadratic.ts";
import { randomMatrix } from "../tests/reference/matrix.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { lora } from "./lora.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";
import { rslora } from "./rslora.ts";

Deno.test("rslora is lora with alpha/sqrt(r), bit by bit, and lora itself at rank 1", async () => {
  const gpu = await testGpu(), random = createRandom(1);
  const map = { base: randomMatrix(9, 7, random.fork("base")), target: randomMatrix(9, 7, random) };
  const run = async (module: OptimizerModule, options: Options) => {
    using _ = gpu.scope("run");
    const run = await attachToQuadratics(gpu, module, options, [map]);
    for (let step = 1; step <= 3; step++) await run.step(step, 0.01);
    return { scale: run.optimizer.factors(run.targetModules[0]!)!.scale, ...await run.readOne() };
  };
  for (const rank of [1, 3, 7]) {
    const found = await run(rslora as OptimizerModule, { rank, alpha: 5 });
    assertEquals(found.scale, 5 / Math.sqrt(rank));
    assertEquals(found, await run(lora as OptimizerModule, { rank, alpha: 5, scaling: "alpha/sqrt(r)" }));
  }
  assertEquals(
    await run(rslora as OptimizerModule, { rank: 1 }),
    await run(lora as OptimizerModule, { rank: 1 }),
  );
});

Deno.test("rslora refuses lora's scaling by that method's name", () => {
  const refusal = (options: Options) => rslora.validate({ ...rslora.defaults, ...options }, [], 10);
  assertEquals(refusal({}), null);
  assertEquals(
    refusal({ scaling: "alpha/r" }),
    'scaling is "alpha/r", which is method "lora", "alpha/sqrt(r)" is needed',
  );
  assertEquals(refusal({ scaling: "1" }), 'scaling is "1", known are alpha/r, alpha/sqrt(r)');
});
