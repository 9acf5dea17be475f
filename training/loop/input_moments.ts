/** @file XᵀX of what target modules take in at the unadapted weights: feeds starts that depend on inputs. */
import { createGradients } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Model, TargetModule } from "../../models/model.ts";
import type { InputsOf, Setup } from "../../optimizers/optimizer.ts";
import type { TaskData } from "../../tasks/task.ts";
import { differentiate } from "./differentiate.ts";
import { type ForwardOf, momentsForward, plainForward } from "./forward.ts";
import { momentGroups } from "./moment_groups.ts";

/**
 * `Setup.inputMoments` of a run: sums over the rows of the first training batches, which are passed through the model once for
 * each group of target modules.
 *
 * Those of a group are taken before the first of it is handed out, and freed before the next group.
 */
export function inputMomentsOf(
  gpu: Gpu,
  model: Model,
  targetModules: readonly TargetModule[],
  dataOf: (of: InputsOf) => TaskData | Promise<TaskData>,
  options: {
    readonly batchSize: number;
    readonly parts: number;
    readonly wrap: (forward: ForwardOf) => ForwardOf;
  },
): Setup["inputMoments"] {
  return async function* (batches, of = "task") {
    const data = await dataOf(of);
    for (const group of momentGroups(targetModules)) {
      using _ = gpu.scope("input moments", "gradients");
      const { parts } = gpu.pack(
        group.map(({ name, in: columns }) => ({ label: `${name} input moments`, shape: [columns, columns] })),
        "input moments",
      );
      const moments = new Map(group.map((targetModule, i) => [targetModule, parts[i]!])),
        store = createGradients(gpu, []);
      const seed = gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient");
      for (let step = 1; step <= batches; step++) {
        using _ = gpu.scope(`input moments ${step}`, "activations");
        differentiate(gpu, model, data.trainBatch(step, options.batchSize), store, {
          parts: options.parts,
          seed,
          forward: options.wrap(momentsForward(plainForward, moments)),
        });
      }
      await gpu.flush();
      for (const targetModule of group) yield { targetModule, moments: moments.get(targetModule)! };
    }
  };
}
