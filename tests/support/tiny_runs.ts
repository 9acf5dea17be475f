/** @file Runs of a few steps that do everything, for tests of train(). */
import type { Gradients } from "../../autodiff/tape.ts";
import { pretrainedWeights } from "../../models/base_weights.ts";
import * as models from "../../models/mod.ts";
import * as optimizers from "../../optimizers/mod.ts";
import type { OptimizerModule, Setup } from "../../optimizers/optimizer.ts";
import * as tasks from "../../tasks/mod.ts";
import { completeConfig } from "../../training/configuration.ts";
import type { RunParts } from "../../training/loop/session.ts";
import type { RunConfig } from "../../training/run.ts";

/** The smallest run that does everything: two windows, telemetry, three validations, a score. */
export const tiny: RunConfig = {
  schema: 1,
  task: { id: "digits", trainExamples: 40, validationExamples: 12, testExamples: 10 },
  model: { id: "vit-tiny" },
  targetModules: ["*"],
  optimizer: { id: "lora", options: {} },
  steps: 4,
  batchSize: 5,
  accumulate: 1,
  schedule: { kind: "cosine", learningRate: 1e-3, warmup: 1, floor: 0.1 },
  clip: 1,
  validateEvery: 2,
  telemetryEvery: 3,
  scoreOn: "test",
  seed: 3,
};

/**
 * The methods that a task is tested with: all of them on one task, and those with the given ids on the others, since methods
 * see nothing of a model but its linear maps.
 */
export function methodsFor(task: string, elsewhere: readonly string[]): readonly OptimizerModule[] {
  const all = Object.values(optimizers) as OptimizerModule[];
  return task === "digits" ? all : all.filter(({ id }) => elsewhere.includes(id));
}

/** A config with every option filled in. */
export function complete(changes: Partial<RunConfig>): RunConfig {
  return completeConfig({ ...tiny, ...changes }, { tasks, models, optimizers });
}

/** What a config names. */
export async function partsOf(config: RunConfig): Promise<RunParts> {
  const entry = Object.values(models).find(({ id }) => id === config.model.id)!;
  return {
    task: Object.values(tasks).find(({ id }) => id === config.task.id)!,
    entry,
    module: Object.values(optimizers).find(({ id }) =>
      id === config.optimizer.id
    ) as unknown as OptimizerModule,
    source: await pretrainedWeights(entry),
  };
}

/** The same parts, with a task that asks the trained model nothing. */
export function withoutScoring(parts: RunParts): RunParts {
  return {
    ...parts,
    task: {
      ...parts.task,
      measures: [],
      load: async (options, model) => ({
        ...await parts.task.load(options, model),
        score: () => Promise.resolve(new Float32Array(options.testExamples)),
      }),
    },
  };
}

/** The same parts, with a look at what the method gets. */
export function watched(
  parts: RunParts,
  watch: { attach?(setup: Setup): void; step?(gradients: Gradients): Promise<void> },
): RunParts {
  return {
    ...parts,
    module: {
      ...parts.module,
      async attach(setup, options) {
        watch.attach?.(setup);
        const optimizer = await parts.module.attach(setup, options);
        return {
          ...optimizer,
          async step(gradients, at) {
            await watch.step?.(gradients);
            await optimizer.step(gradients, at);
          },
        };
      },
    },
  };
}
