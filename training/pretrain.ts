/** @file Makes the base checkpoints: the same loop, full fine-tuning of seeded random weights on a corpus. */
import type { Gpu } from "../gpu/gpu.ts";
import { encodeSafetensors, type WritableTensor, writeSafetensors } from "../models/checkpoint.ts";
import * as models from "../models/mod.ts";
import { pretrainedPath } from "../models/base_weights.ts";
import type { ModelEntry, PretrainingRecipe } from "../models/entry.ts";
import { createRandom } from "../numerics/random.ts";
import { full } from "../optimizers/full.ts";
import type { OptimizerModule } from "../optimizers/optimizer.ts";
import * as corpora from "../tasks/pretraining.ts";
import type { Task } from "../tasks/task.ts";
import { lookup } from "./lookup.ts";
import { canonicalJson, type RunConfig } from "./run.ts";
import { runSession, type TrainHooks } from "./train.ts";
import { UserError } from "./user_error.ts";

/** What a pretraining run made. */
export interface Pretrained {
  readonly path: string;
  /** SHA-256 of the stored tensors, in hex. */
  readonly hash: string;
  /** Mean score on the corpus's held-out examples. */
  readonly score: number;
  readonly validationLoss: number;
}

/** Changes to a recipe, for trials and tests. */
export interface PretrainOptions extends TrainHooks {
  /** Where the checkpoint goes; by default where models look for it. */
  readonly out?: string;
  /** Fewer steps than the recipe's. */
  readonly steps?: number;
}

/**
 * Trains a model of the registry by its recipe and writes its weights as 16-bit floats, with recipe, hash, score and
 * adapter in the file's metadata.
 *
 * @throws {UserError} where there is no model of that id, or none that is made here
 */
export async function pretrain(
  gpu: Gpu,
  modelId: string,
  options: PretrainOptions = {},
): Promise<Pretrained> {
  const entry = lookup<ModelEntry>("model", models, modelId);
  const { recipe } = entry;
  if (!recipe) throw new UserError(`Cannot pretrain "${modelId}": it has no recipe`);
  const config = recipeConfig(modelId, recipe, options.steps ?? recipe.steps);
  let tensors: ReadonlyMap<string, WritableTensor> = new Map();
  const session = await runSession(gpu, config, {
    task: lookup<Task>("pretraining corpus", corpora, recipe.task),
    entry,
    module: full as OptimizerModule,
    source: entry.initial(createRandom(recipe.seed).fork("weights")),
    async onTrained({ parameters }) {
      const data = await gpu.downloadAll(parameters.map(({ value }) => value));
      tensors = new Map(
        parameters.map(({ name, value }, i) => [name, { shape: value.shape, data: data[i]!, dtype: "F16" }]),
      );
    },
  }, options);
  if (session.divergedAt !== null) {
    throw new Error(`Cannot pretrain "${modelId}": step ${session.divergedAt} diverged`);
  }

  const hash = await sha256(encodeSafetensors(tensors));
  const score = session.scores.reduce((sum, value) => sum + value, 0) / session.scores.length;
  const validationLoss = session.validationLoss.at(-1)!.value;
  const path = options.out ?? decodeURIComponent(pretrainedPath(modelId).pathname);
  await writeSafetensors(path, tensors, {
    model: modelId,
    recipe: canonicalJson({ ...recipe, steps: config.steps }),
    sha256: hash,
    score: String(score),
    validationLoss: String(validationLoss),
    adapter: gpu.info.adapter,
  });
  return { path, hash, score, validationLoss };
}

function recipeConfig(id: string, recipe: PretrainingRecipe, steps: number): RunConfig {
  return {
    schema: 1,
    task: { id: recipe.task, trainExamples: 4000, validationExamples: 200, testExamples: 1 },
    model: { id },
    sites: ["*"],
    optimizer: {
      id: full.id,
      options: { ...full.defaults, beta2: recipe.beta2, weightDecay: recipe.weightDecay },
    },
    steps,
    batchSize: recipe.batchSize,
    accumulate: 1,
    schedule: { kind: "cosine", peak: recipe.peak, warmup: Math.min(recipe.warmup, steps), floor: 0.01 },
    clip: recipe.clip,
    validateEvery: Math.min(200, steps),
    telemetryEvery: 0,
    scoreOn: "validation",
    seed: recipe.seed,
  };
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
