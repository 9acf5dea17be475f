/** @file A method is attached to a model: what a run knows becomes the method's `Setup`. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Model, TargetModule } from "../../models/model.ts";
import { createRandom } from "../../numerics/random.ts";
import type { InputsOf, LoftqStart, Optimizer, OptimizerModule } from "../../optimizers/optimizer.ts";
import type { TaskData } from "../../tasks/task.ts";
import { alsoTrainedPatterns, matchParameters } from "../also_trained.ts";
import { allOptions } from "../configuration.ts";
import type { RunConfig } from "../run.ts";
import { type ForwardOf, withMemory } from "./forward.ts";
import { fullGradientsOf } from "./full_gradient.ts";
import { inputMomentsOf } from "./input_moments.ts";

/** What a method is attached with. */
export interface AttachParts {
  readonly module: OptimizerModule;
  readonly model: Model;
  /** Those of the model that are adapted. */
  readonly targetModules: readonly TargetModule[];
  readonly data: TaskData;
  /** What inputs are taken of that a start depends on. */
  dataOf(of: InputsOf): TaskData | Promise<TaskData>;
  readonly loftq: LoftqStart | null;
}

/** The part of a run's config that a method's start depends on. */
export type AttachConfig = Pick<
  RunConfig,
  "optimizer" | "alsoTrain" | "steps" | "seed" | "batchSize" | "accumulate" | "memory"
>;

/**
 * Attaches a method, in the caller's scope.
 *
 * @throws {UserError} where the model has nothing of what is to be trained beside adapters
 */
export function attach(
  gpu: Gpu,
  config: AttachConfig,
  { module, model, targetModules, data, dataOf, loftq }: AttachParts,
): Promise<Optimizer> {
  const batches = {
    batchSize: config.batchSize,
    parts: config.accumulate,
    wrap: (forward: ForwardOf) => withMemory(forward, config.memory),
  };
  const also = matchParameters(
    alsoTrainedPatterns(config, module),
    model.parameters,
    targetModules.map(({ name }) => name),
  );
  return module.attach({
    ...(loftq && { loftq }),
    gpu,
    targetModules,
    parameters: model.parameters,
    head: [...model.head, ...also.filter((parameter) => !model.head.includes(parameter))],
    steps: config.steps,
    random: createRandom(config.seed).fork("method"),
    fullGradients: fullGradientsOf(gpu, model, targetModules, data, batches),
    inputMoments: inputMomentsOf(gpu, model, targetModules, dataOf, batches),
  }, allOptions(module, config));
}
