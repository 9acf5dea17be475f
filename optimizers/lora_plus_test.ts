import { assertEquals } from "@std/assert";
import { createGradients } from "../autodiff/mod.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { attachToQuadratics, effectiveWeight, type Quadratic } from "../tests/support/quadratic.ts";
import { equivalentGradient, factorGradients } from "../tests/reference/low_rank.ts";
import { randomMatrix, scale as times, subtract } from "../tests/reference/matrix.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { attachToToy, bytesOf, createToyModel, trainToy } from "../contract/toy_model.ts";
import { lora } from "./lora.ts";
import { loraPlus } from "./lora_plus.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";

const module = loraPlus as OptimizerModule;

function map(rows: number, columns: number): Quadratic {
  const random = createRandom(rows);
  return {
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
    a: randomMatrix(2, columns, random.fork("a")),
    b: randomMatrix(rows, 2, random.fork("b")),
  };
}

Deno.test("loraPlus of ratio 1 is lora, bit by bit", async () => {
  const gpu = await testGpu();
  const run = async (module: OptimizerModule, options: Options) => {
    using _ = gpu.scope("run");
    const run = await attachToQuadratics(gpu, module, { rank: 2, ...options }, [map(7, 9), map(5, 3)]);
    for (let step = 1; step <= 4; step++) await run.step(step, 0.02);
    return await run.read();
  };
  assertEquals(await run(module, { ratio: 1 }), await run(lora as OptimizerModule, {}));
});

Deno.test("loraPlus moves B by ratio times what lora does, decay included, and A and the head as lora does", async () => {
  const gpu = await testGpu();
  const stepOf = async (module: OptimizerModule, options: Options) => {
    using _ = gpu.scope("run");
    const model = await createToyModel(gpu);
    const optimizer = await attachToToy(model, module, { rank: 2, weightDecay: 0.5, ...options });
    // B is 0 at first: its decay would not show.
    for (const { name, value } of optimizer.trainable.filter(({ name }) => name.endsWith(".B"))) {
      gpu.write(value, createRandom(3).fork(name).normal(value.shape[0]! * value.shape[1]!, 1));
    }
    const before = await bytesOf(gpu, optimizer.trainable);
    await trainToy(model, optimizer, createGradients(gpu, optimizer.trainable), 0.01, [1, 1]);
    const after = await bytesOf(gpu, optimizer.trainable);
    return new Map([...after].map(([name, data]) => [name, data.map((x, i) => x - before.get(name)![i]!)]));
  };
  const plain = await stepOf(lora as OptimizerModule, {});
  const plus = await stepOf(module, { ratio: 5 });
  assertEquals([...plus.keys()], [...plain.keys()]);
  for (const [name, moved] of plus) {
    if (!name.endsWith(".B")) assertEquals(moved, plain.get(name), name);
    // Differences of numbers of size 1 that are 0.01 apart.
    else assertClose(moved, plain.get(name)!.map((x) => 5 * x), { relative: 1e-4 }, name);
  }
});

Deno.test("loraPlus's equivalent gradient is s (B dA + ratio dB A)", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("equivalent gradient");
  const maps = [map(7, 12), map(30, 5)], scale = 8;
  const run = await attachToQuadratics(gpu, module, { rank: 2, alpha: 16, ratio: 3 }, maps);
  (await run.gradients()).forEach(({ equivalent }, i) => {
    const { base, target, a, b } = maps[i] as Required<Quadratic>, factors = { a, b, scale };
    const gradient = subtract(effectiveWeight(base, a, b, scale), target);
    const raw = factorGradients(gradient, factors);
    const wanted = equivalentGradient({ ...factors, ...raw, gradientB: times(raw.gradientB, 3) });
    // Three products in a row of f32.
    assertClose(equivalent.data, wanted.data, { relative: 1e-5 }, `map ${i}`);
  });
});

Deno.test("loraPlus updates factors in two dispatches, however many target modules there are", async () => {
  const gpu = await testGpu();
  for (const count of [1, 5]) {
    using _ = gpu.scope("dispatches");
    const maps = Array.from({ length: count }, (_, i) => map(7 + i, 9));
    const { optimizer } = await attachToQuadratics(gpu, module, { rank: 2 }, maps);
    const store = createGradients(gpu, optimizer.trainable);
    gpu.resetWork();
    await optimizer.step(store, { step: 1, learningRate: 0.1 });
    assertEquals(gpu.work.dispatches, 2);
  }
});

Deno.test("loraPlus refuses ratios that are not positive numbers, and names its ratio in reports", () => {
  const refusal = (ratio: number) => loraPlus.validate({ ...loraPlus.defaults, ratio }, [], 10);
  assertEquals(refusal(0.5), null);
  for (const ratio of [0, -1, NaN, Infinity]) {
    assertEquals(refusal(ratio), `ratio is ${ratio}, a positive number is needed`);
  }
  assertEquals(loraPlus.describe(loraPlus.defaults), "alpha/r, ratio 16");
});
