import { assertEquals, assertThrows } from "@std/assert";
import { createGradients } from "../autodiff/mod.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { attachToQuadratics } from "../tests/support/quadratic.ts";
import { createRandom } from "../numerics/random.ts";
import { randomMatrix, subtract } from "../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../tests/reference/network.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { attachToToy, bytesOf, createToyModel, trainToy } from "../contract/toy_model.ts";
import { full } from "./full.ts";
import type { OptimizerModule } from "./optimizer.ts";

const module = full as OptimizerModule;

Deno.test("full follows float64 AdamW on the weights themselves for five steps", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("full");
  const random = createRandom(1),
    maps = ([[6, 9], [11, 3]] as const).map(([rows, columns]) => ({
      base: randomMatrix(rows, columns, random.fork(`base ${rows}`)),
      target: randomMatrix(rows, columns, random.fork(`target ${rows}`)),
    }));
  const options = { learningRate: 0.05, weightDecay: 0.1 };
  const run = await attachToQuadratics(gpu, module, { weightDecay: options.weightDecay }, maps);
  let wanted = maps.map(({ base }): { parameter: typeof base; moments?: AdamMoments } => ({
    parameter: base,
  }));
  for (let step = 1; step <= 5; step++) {
    await run.step(step, options.learningRate);
    wanted = wanted.map(({ parameter, moments }, i) =>
      adamwStep(parameter, subtract(parameter, maps[i]!.target), moments, options)
    );
    (await run.read()).forEach(({ weight }, i) => {
      // Five f32 steps of 0.05 each.
      assertClose(weight.data, wanted[i]!.parameter.data, { relative: 1e-5 }, `map ${i} after step ${step}`);
    });
  }
});

Deno.test('full with trains "target modules" changes the adapted weights and the head, nothing else', async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("target modules only");
  const model = await createToyModel(gpu);
  const optimizer = await attachToToy(model, module, { trains: "targetModules" });
  assertEquals(optimizer.trainable.map(({ name }) => name), [
    "layers.0.weight",
    "layers.1.weight",
    "layers.1.bias",
  ]);
  const before = await bytesOf(gpu, model.parameters);
  await trainToy(model, optimizer, createGradients(gpu, optimizer.trainable), 0.05, [1, 2]);
  const changed = [...await bytesOf(gpu, model.parameters)].filter(([name, after]) =>
    after.some((value, i) => value !== before.get(name)![i])
  );
  assertEquals(changed.map(([name]) => name), ["layers.0.weight", "layers.1.weight", "layers.1.bias"]);
  const frozen = model.parameters[1]!;
  assertThrows(() => createGradients(gpu, optimizer.trainable).of(frozen), Error, "layers.0.bias");
});

Deno.test("full keeps two moments a trained number and has no factors", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("state");
  const model = await createToyModel(gpu);
  const optimizer = await attachToToy(model, module, {});
  const shapes = model.parameters.map(({ value }) => value.shape);
  assertEquals(optimizer.state.map(({ value }) => value.shape), [...shapes, ...shapes]);
  for (const targetModule of model.targetModules) assertEquals(optimizer.factors(targetModule), null);
});

Deno.test("full refuses to train what it does not know, and describes only what is not the default", () => {
  assertEquals(
    full.validate({ ...full.defaults, trains: "some" }, [], 100),
    'trains is "some", known are all, targetModules',
  );
  assertEquals(
    full.validate({ ...full.defaults, epsilon: 0 }, [], 100),
    "epsilon is 0, a positive number is needed",
  );
  assertEquals(full.validate(full.defaults, [], 100), null);
  assertEquals([full.describe(full.defaults), full.describe({ ...full.defaults, trains: "targetModules" })], [
    "",
    "adapted target modules only",
  ]);
});
