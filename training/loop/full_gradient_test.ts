import { assertEquals, assertRejects } from "@std/assert";
import { createGradients } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Model } from "../../models/model.ts";
import type { TaskData } from "../../tasks/task.ts";
import { trainableWeight } from "../../optimizers/module_weight.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { textBatch, tinyDecoder } from "../../tests/support/tiny_models.ts";
import { differentiate } from "./differentiate.ts";
import { plainForward } from "./forward.ts";
import { fullGradientsOf } from "./full_gradient.ts";

/** Serves `textBatch(size, step)`. */
const data: TaskData = {
  needs: { family: "decoder", outputs: 11, inputSize: 20 },
  trainBatch: (step, size) => textBatch(size, step),
  *validationBatches() {},
  score: () => Promise.reject(new Error("Cannot score")),
};

/** The gradient of one batch for each target module's weight. */
async function batchGradients(gpu: Gpu, model: Model, step: number, size: number) {
  using _ = gpu.scope("one batch");
  const store = createGradients(gpu, model.targetModules.map(trainableWeight));
  const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
  differentiate(gpu, model, textBatch(size, step), store, { parts: 1, seed, forward: plainForward });
  return await gpu.downloadAll(
    model.targetModules.map((targetModule) => store.of(trainableWeight(targetModule))),
  );
}

Deno.test("fullGradientsOf() hands out the mean of the first batches' gradients, target module by target module, whatever the parts", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("full gradients");
  const model = tinyDecoder(gpu);
  const first = await batchGradients(gpu, model, 1, 5);
  const second = await batchGradients(gpu, model, 2, 5);
  const third = await batchGradients(gpu, model, 3, 5);
  for (const parts of [1, 2]) {
    const before = gpu.memory.liveBytes;
    const fullGradients = fullGradientsOf(gpu, model, model.targetModules, data, {
      batchSize: 5,
      parts,
      wrap: (forward) => forward,
    });
    const names: string[] = [];
    for await (const { targetModule, gradient } of fullGradients(3)) {
      const i = names.push(targetModule.name) - 1;
      const mean = first[i]!.map((value, j) => (value + second[i]![j]! + third[i]![j]!) / 3);
      assertEquals(gradient.shape, [targetModule.out, targetModule.in]);
      // Sums over rows and batches in another order.
      assertClose(
        await gpu.download(gradient),
        mean,
        { relative: 2e-5 },
        `${targetModule.name} in ${parts} parts`,
      );
    }
    assertEquals(names, model.targetModules.map(({ name }) => name));
    assertEquals(gpu.memory.liveBytes, before);
  }
});

Deno.test("fullGradientsOf() takes all gradients before the first is handed out: rewriting weights changes none", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("rewriting");
  const model = tinyDecoder(gpu);
  const collect = async (rewrite: boolean) => {
    const out: Float32Array[] = [];
    const fullGradients = fullGradientsOf(gpu, model, model.targetModules, data, {
      batchSize: 4,
      parts: 1,
      wrap: (forward) => forward,
    });
    for await (const { targetModule, gradient } of fullGradients(2)) {
      if (rewrite) gpu.clear(targetModule.weight.value);
      out.push(await gpu.download(gradient));
    }
    return out;
  };
  assertEquals(await collect(false), await collect(true));
});

Deno.test("fullGradientsOf() frees its gradients where the loop breaks off or throws", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("broken off");
  const model = tinyDecoder(gpu);
  const before = gpu.memory.liveBytes;
  const fullGradients = fullGradientsOf(gpu, model, model.targetModules, data, {
    batchSize: 4,
    parts: 1,
    wrap: (forward) => forward,
  });
  for await (const _ of fullGradients(1)) break;
  assertEquals(gpu.memory.liveBytes, before);
  await assertRejects(
    async () => {
      for await (const _ of fullGradients(1)) throw new Error("Stop");
    },
    Error,
    "Stop",
  );
  assertEquals(gpu.memory.liveBytes, before);
});
