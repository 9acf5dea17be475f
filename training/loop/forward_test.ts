import { assert, assertEquals } from "@std/assert";
import { createGradients } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Batch, Model } from "../../models/model.ts";
import { createRandom } from "../../numerics/random.ts";
import { elementCount } from "../../gpu/tensor.ts";
import * as optimizers from "../../optimizers/mod.ts";
import type { OptimizerModule } from "../../optimizers/optimizer.ts";
import { trainableWeight } from "../../optimizers/module_weight.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { givenMoments } from "../../tests/support/quadratic.ts";
import {
  imageBatch,
  textBatch,
  tinyDecoder,
  tinyEncoderDecoder,
  tinyVision,
  translationBatch,
} from "../../tests/support/tiny_models.ts";
import { differentiate } from "./differentiate.ts";
import {
  adaptedForward,
  checkpointedForward,
  forwardKeeping,
  type ForwardOf,
  measuredForward,
  plainForward,
} from "./forward.ts";

const CASES: readonly (readonly [string, (gpu: Gpu) => Model, Batch])[] = [
  ["decoder", tinyDecoder, textBatch(5)],
  ["encoder-decoder", tinyEncoderDecoder, translationBatch(5)],
  ["vision", tinyVision, imageBatch(5)],
];

/** A model with a method at all of its target modules, whose factors have moved. */
async function attached(gpu: Gpu, create: (gpu: Gpu) => Model, module: OptimizerModule) {
  const model = create(gpu), { targetModules, parameters, head } = model;
  const optimizer = await module.attach({
    gpu,
    targetModules,
    parameters,
    head,
    steps: 1,
    random: createRandom(1),
    async *fullGradients() {
      using _ = gpu.scope("full gradients");
      for (const targetModule of targetModules) {
        const gradient = createRandom(3).fork(targetModule.name).normal(
          targetModule.out * targetModule.in,
          1,
        );
        yield {
          targetModule,
          gradient: gpu.upload(gradient, "f32", [targetModule.out, targetModule.in], targetModule.name),
        };
      }
    },
    inputMoments: givenMoments(gpu, targetModules),
  }, { ...module.defaults, ..."rank" in module.defaults && { rank: 2 } });
  for (const targetModule of targetModules) {
    const b = optimizer.factors(targetModule)?.b.value;
    if (b) gpu.write(b, createRandom(2).fork(targetModule.name).normal(elementCount(b.shape), 0.3));
  }
  return { model, optimizer };
}

/** Euclidean length. */
const lengthOf = (values: Float32Array) => Math.hypot(...values);

/** A zero gradient for each target module. */
function zeroGradients(gpu: Gpu, { targetModules }: Model) {
  return new Map(
    targetModules.map((
      targetModule,
    ) => [targetModule, gpu.zeros([targetModule.out, targetModule.in], `${targetModule.name} full`)]),
  );
}

for (const [family, create, batch] of CASES) {
  Deno.test(`measuredForward() gives dL/dW of every ${family} target module, as a tape that differentiates the weights does, in any parts`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("measured");
    const model = create(gpu), store = createGradients(gpu, model.targetModules.map(trainableWeight));
    const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
    for (const parts of [1, 2]) {
      store.clear();
      const full = zeroGradients(gpu, model), forward = measuredForward(plainForward, full);
      differentiate(gpu, model, batch, store, { parts, seed, forward });
      for (const [targetModule, gradient] of full) {
        const [found, wanted] = await gpu.downloadAll([gradient, store.of(trainableWeight(targetModule))]);
        // The same products.
        assertClose(found!, wanted!, { relative: 1e-6 }, `${targetModule.name} in ${parts} parts`);
      }
    }
  });

  for (const module of Object.values(optimizers) as OptimizerModule[]) {
    Deno.test(`checkpointedForward() leaves loss, gradients and measured gradients of ${module.id} on a ${family} as they are, bit for bit`, async () => {
      const gpu = await testGpu();
      using _ = gpu.scope("checkpointed");
      const { model, optimizer } = await attached(gpu, create, module);
      const store = createGradients(gpu, optimizer.trainable), adapted = new Set(model.targetModules);
      const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
      const bits = async (wrap: (inner: ForwardOf) => ForwardOf, parts: number) => {
        using _ = gpu.scope("pass");
        store.clear();
        const full = zeroGradients(gpu, model);
        const forward = wrap(measuredForward((tape) => adaptedForward(tape, optimizer, adapted), full));
        const before = gpu.memory.liveBytes;
        const loss = differentiate(gpu, model, batch, store, { parts, seed, forward });
        // The loss is all that is left.
        assertEquals(gpu.memory.liveBytes - before, 256);
        return await gpu.downloadAll([loss, ...store.flats, ...full.values()]);
      };
      for (const parts of [1, 2]) {
        const kept = await bits((inner) => inner, parts);
        assertEquals(await bits(checkpointedForward, parts), kept);
        // Either may lie around the other.
        const full = zeroGradients(gpu, model);
        store.clear();
        const forward = measuredForward(
          checkpointedForward((tape) => adaptedForward(tape, optimizer, adapted)),
          full,
        );
        const loss = differentiate(gpu, model, batch, store, { parts, seed, forward });
        assertEquals(await gpu.downloadAll([loss, ...store.flats, ...full.values()]), kept);
      }
    });

    Deno.test(`forwardKeeping() in 16 bits leaves the loss of ${module.id} on a ${family} as it is, bit for bit, and moves gradients and measured gradients by what rounding explains`, async () => {
      const gpu = await testGpu();
      using _ = gpu.scope("in 16 bits");
      const { model, optimizer } = await attached(gpu, create, module);
      const store = createGradients(gpu, optimizer.trainable), adapted = new Set(model.targetModules);
      const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
      const pass = async (keep: "all" | "all-f16") => {
        using _ = gpu.scope("pass");
        store.clear();
        const full = zeroGradients(gpu, model);
        const measured = measuredForward((tape) => adaptedForward(tape, optimizer, adapted), full);
        const before = gpu.memory.liveBytes;
        const forward = forwardKeeping(measured, keep);
        const loss = differentiate(gpu, model, batch, store, { parts: 1, seed, forward });
        // The loss is all that is left.
        assertEquals(gpu.memory.liveBytes - before, 256);
        const [found, ...gradients] = await gpu.downloadAll([loss, ...store.flats, ...full.values()]);
        return { loss: found!, gradients };
      };
      const whole = await pass("all"), half = await pass("all-f16");
      assertEquals(half.loss, whole.loss);
      const errors = half.gradients.map((found, i) =>
        found.map((value, at) => value - whole.gradients[i]![at]!)
      );
      // Each number that is read is off by 2^-11 of itself at most. Where scores of attention are large, as in a T5 that does not scale
      // them, theirs add up, and what softmax leaves of a gradient is a difference: single maps lose more.
      const all = Math.hypot(...errors.map(lengthOf)) / Math.hypot(...whole.gradients.map(lengthOf));
      assert(all < 32 * 2 ** -11, `all: ${all}`);
      errors.forEach((error, i) => {
        const share = lengthOf(error) / lengthOf(whole.gradients[i]!);
        assert(share > 0 && share < 0.15, `${i}: ${share}`);
      });
    });
  }
}
