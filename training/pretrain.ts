/** @file Makes base checkpoints, the project's and those of real images: the same loop, full fine-tuning of random weights. */
import type { Gpu } from "../gpu/gpu.ts";
import {
  encodeSafetensors,
  type WritableTensor,
  writeSafetensors,
} from "../models/checkpoints/write_safetensors.ts";
import { clipVisionJson } from "../models/checkpoints/hugging_face.ts";
import { PREPROCESSOR, preprocessorJson, standardImageInput } from "../models/checkpoints/image_input.ts";
import { pretrainedPath } from "../models/base_weights.ts";
import type { ModelEntry, PretrainingRecipe } from "../models/entry.ts";
import type { ImageInput } from "../models/model.ts";
import { PROJECTION } from "../models/vision.ts";
import { createRandom } from "../numerics/random.ts";
import { full } from "../optimizers/full.ts";
import type { OptimizerModule } from "../optimizers/optimizer.ts";
import { digits } from "../tasks/images/digits.ts";
import * as corpora from "../tasks/pretraining.ts";
import { PRETRAINING_AMOUNTS } from "./resolve/corpus.ts";
import type { Task, TaskOptions } from "../tasks/task.ts";
import { lookup } from "./lookup.ts";
import { withShipped } from "./shipped.ts";
import { canonicalJson } from "../files/canonical_json.ts";
import type { RunConfig } from "./run.ts";
import type { TrainHooks } from "./loop/progress.ts";
import { runSession } from "./loop/session.ts";
import { UserError } from "../errors/user_error.ts";

/** What a pretraining run made. */
export interface Pretrained {
  readonly path: string;
  /** SHA-256 of the stored tensors, in hex. */
  readonly hash: string;
  /** Mean score on the corpus's held-out examples. */
  readonly score: number;
  readonly validationLoss: number;
}

/** Changes to a recipe. */
export interface PretrainOptions extends TrainHooks {
  /** The caller's own models, beside those that ship. */
  readonly models?: Readonly<Record<string, ModelEntry>>;
  /** Where the checkpoint goes: a file, by default where models look for it, or for real images a folder. */
  readonly out?: string;
  /** Other steps than the recipe's. */
  readonly steps?: number;
  /** Real images to be used instead of the recipe's corpus: `data` is needed, and `out`. */
  readonly images?: Partial<Omit<TaskOptions, "seed">>;
}

/**
 * Trains a model of the registry by its recipe and writes its weights as 16-bit floats, with recipe, hash, score and
 * adapter in the file's metadata.
 *
 * Of real images it makes an image tower for all of their classes, in a folder of Hugging Face's layout from which runs on
 * other images can begin; its metadata has the images' fingerprint too.
 *
 * @throws {UserError} where there is no model of that id, or none that is made here, and for images where it takes none, or
 * no folder is named
 * @throws {DataError} where the images can't be read, or are too few
 */
export async function pretrain(
  gpu: Gpu,
  modelId: string,
  options: PretrainOptions = {},
): Promise<Pretrained> {
  const { images, models = {} } = options;
  const entry = lookup("model", withShipped({ models }).models, modelId);
  const { recipe } = entry;
  if (!recipe) throw new UserError(`Cannot pretrain "${modelId}": it has no recipe`);
  const input = images ? imageInputOf(entry, images, options) : null;
  const config = recipeConfig(modelId, recipe, options.steps ?? recipe.steps, images);
  let tensors: ReadonlyMap<string, WritableTensor> = new Map();
  const session = await runSession(gpu, config, {
    task: images ? digits : lookup<Task>("pretraining corpus", corpora, recipe.task),
    entry: { ...entry, ...(input && { image: input }) },
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
  const path = options.out ?? decodeURIComponent(pretrainedPath(entry).pathname);
  if (input) await writeTowerConfig(path, entry, input, tensors);
  await writeSafetensors(input ? `${path}/model.safetensors` : path, tensors, {
    model: modelId,
    recipe: canonicalJson({ ...recipe, ...(images && { task: digits.id }), steps: config.steps }),
    ...(session.data && { data: session.data.title, dataSha256: session.data.fingerprint }),
    sha256: hash,
    score: String(score),
    validationLoss: String(validationLoss),
    adapter: gpu.info.adapter,
  });
  return { path, hash, score, validationLoss };
}

function imageInputOf(
  { id, vision }: ModelEntry,
  { data }: NonNullable<PretrainOptions["images"]>,
  { out }: PretrainOptions,
): ImageInput {
  const input = vision && standardImageInput(vision.channels);
  const wanted = !input
    ? "it takes no images"
    : data === undefined
    ? "a folder or a file with them is needed, --data DIR"
    : out === undefined
    ? "a folder for the checkpoint is needed, --out DIR"
    : null;
  if (!input || wanted !== null) throw new UserError(`Cannot pretrain "${id}" on real images: ${wanted}`);
  return input;
}

/** What a folder has beside the weights, so that `readModelFolder` reads it. */
async function writeTowerConfig(
  folder: string,
  { withNewHead }: ModelEntry,
  input: ImageInput,
  tensors: ReadonlyMap<string, WritableTensor>,
): Promise<void> {
  const [classes] = tensors.get(PROJECTION)!.shape, { vision } = withNewHead!(classes!);
  await Deno.mkdir(folder, { recursive: true });
  const files = { "config.json": clipVisionJson(vision!), [PREPROCESSOR]: preprocessorJson(input) };
  for (const [name, json] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/${name}`, `${JSON.stringify(json, null, 2)}\n`);
  }
}

function recipeConfig(
  id: string,
  recipe: PretrainingRecipe,
  steps: number,
  images: PretrainOptions["images"],
): RunConfig {
  return {
    schema: 1,
    task: { id: images ? digits.id : recipe.task, ...PRETRAINING_AMOUNTS, ...images },
    model: { id, ...(images && { head: "new" }) },
    targetModules: ["*"],
    optimizer: {
      id: full.id,
      options: { ...full.defaults, beta2: recipe.beta2, weightDecay: recipe.weightDecay },
    },
    steps,
    batchSize: recipe.batchSize,
    accumulate: 1,
    schedule: {
      kind: "cosine",
      learningRate: recipe.learningRate,
      warmup: Math.min(recipe.warmup, steps),
      floor: 0.01,
    },
    clip: recipe.clip,
    validateEvery: Math.min(200, steps),
    telemetryEvery: 0,
    scoreOn: "validation",
    seed: recipe.seed,
  };
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
