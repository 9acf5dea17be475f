/** @file dL/dW of chosen target modules at the unadapted weights: feeds gradient-based starts. */
import { createGradients } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Model, TargetModule } from "../../models/model.ts";
import type { Setup } from "../../optimizers/optimizer.ts";
import type { TaskData } from "../../tasks/task.ts";
import { differentiate } from "./differentiate.ts";
import { type ForwardOf, measuredForward, plainForward } from "./forward.ts";

/**
 * `Setup.fullGradients` of a run: the mean over the run's first training batches.
 *
 * All are taken before the first is handed out, and freed when the loop ends.
 */
export function fullGradientsOf(
  gpu: Gpu,
  model: Model,
  targetModules: readonly TargetModule[],
  data: TaskData,
  options: {
    readonly batchSize: number;
    readonly parts: number;
    readonly wrap: (forward: ForwardOf) => ForwardOf;
  },
): Setup["fullGradients"] {
  return async function* (batches) {
    using _ = gpu.scope("full gradients", "gradients");
    const { parts } = gpu.pack(
      targetModules.map((targetModule) => ({
        label: `${targetModule.name} full gradient`,
        shape: [targetModule.out, targetModule.in],
      })),
      "full gradients",
    );
    const full = new Map(targetModules.map((targetModule, i) => [targetModule, parts[i]!])),
      store = createGradients(gpu, []);
    const seed = gpu.upload(Float32Array.of(1 / batches), "f32", [1], "loss gradient");
    for (let step = 1; step <= batches; step++) {
      using _ = gpu.scope(`full gradient ${step}`, "activations");
      differentiate(gpu, model, data.trainBatch(step, options.batchSize), store, {
        parts: options.parts,
        seed,
        forward: options.wrap(measuredForward(plainForward, full)),
      });
    }
    await gpu.flush();
    for (const targetModule of targetModules) yield { targetModule, gradient: full.get(targetModule)! };
  };
}
