/** @file Every registered method is held to what methods promise. */
import { createGradients } from "../autodiff/mod.ts";
import { assertClose } from "../contract/assert_close.ts";
import { type CheckedMethod, checksOfMethod, runOnToy, usual } from "../contract/methods.ts";
import { differentiateToy } from "../contract/toy_model.ts";
import * as optimizers from "../optimizers/mod.ts";
import type { OptimizerModule } from "../optimizers/optimizer.ts";
import { adaptedForward } from "../training/loop/forward.ts";
import { shipped } from "../training/shipped.ts";
import { testGpu } from "./support/test_gpu.ts";

/** Methods that need other settings than most. */
const settings: Readonly<
  Record<string, Partial<Pick<CheckedMethod, "rank" | "options" | "learningRate" | "lowers">>>
> = {
  // B takes sixteen times this.
  "lora-plus": { learningRate: 0.01 },
  // A spectral norm.
  "lora-muon": { learningRate: 0.2 },
  // With A frozen only changes whose rows A spans are within reach: 8 of 12, and all 8.
  "lora-fa": { rank: 8 },
  "miss": { rank: 8 },
  // A quarter of it is the step of the adapted maps.
  "galore": { learningRate: 0.1 },
  // Nor does R reach beyond the spans of A and B.
  "lora-xs": { rank: 8 },
  "lora-sb": { rank: 8 },
  // At rank 2 alpha makes s 8, and 4 bits round a weight that is reduced by 8 B A as much more coarsely.
  "olora": { rank: 8 },
  // The targets are no rotations away.
  "oft": { lowers: 3 },
  // Some of the entries are out of reach at rank 2.
  "shira": { lowers: 3 },
  // A number for each row of the products of 16 random directions, and the toy's maps have no names that it knows.
  "vera": { rank: 16, lowers: 5 },
  "ia3": { options: { maps: "all" }, lowers: 2.5 },
  // The lower the rank, the more numbers.
  "randlora": { rank: 1, learningRate: 0.03 },
  // Of the toy they train its head and a bias, or the head alone.
  "biases": { lowers: 2 },
  "norms": { lowers: 2 },
};

for (const module of Object.values(shipped.optimizers)) {
  for (const { promise, hold } of checksOfMethod({ module, ...usual, ...settings[module.id] }, shipped)) {
    Deno.test(`${module.id}: ${promise}`, async () => await hold(await testGpu()));
  }
}

Deno.test("full: the equivalent gradient is the full gradient", async () => {
  const gpu = await testGpu();
  await runOnToy(
    gpu,
    { ...usual, module: optimizers.full as unknown as OptimizerModule },
    async ({ model, optimizer }) => {
      const store = createGradients(gpu, optimizer.trainable);
      const { full } = differentiateToy(
        model,
        store,
        (tape) => adaptedForward(tape, optimizer, new Set(model.targetModules)),
      );
      const equivalents = optimizer.equivalentGradients(store);
      for (const [targetModule, gradient] of full) {
        const [found, wanted] = await gpu.downloadAll([equivalents.get(targetModule)!, gradient]);
        // The same products; the tape may add them up in another order.
        assertClose(found!, wanted!, { relative: 1e-6 }, targetModule.name);
      }
    },
  );
});
