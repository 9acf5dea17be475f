/** @file The weights that fine-tuning starts from: base checkpoints, the user's, or seeded random numbers. */
import { createRandom } from "../numerics/random.ts";
import { readSafetensors } from "./checkpoints/read_safetensors.ts";
import { checkpointWeights, readCheckpointFolder } from "./checkpoints/checkpoint_folder.ts";
import type { ModelEntry } from "./entry.ts";
import type { WeightSource } from "./weights.ts";

/** Where a model's base checkpoint lies. */
export function pretrainedPath({ id, checkpoint }: Pick<ModelEntry, "id" | "checkpoint">): URL {
  return checkpoint ?? new URL(`./pretrained/${id}.safetensors`, import.meta.url);
}

/** Weights of a model's base checkpoint. @throws {CheckpointError} where it is missing or does not fit */
export async function pretrainedWeights(entry: ModelEntry): Promise<WeightSource> {
  const { pathname } = pretrainedPath(entry);
  return checkpointWeights(await readSafetensors(decodeURIComponent(pathname)));
}

/** Seeds the random weights of models that have no recipe. */
const SEED = 1;

/**
 * The weights that fine-tuning starts from: the base checkpoint, the user's or the project's, or seeded random numbers where there is none.
 *
 * @throws {CheckpointError} where the checkpoint is missing or does not fit
 */
export async function baseWeights(entry: ModelEntry): Promise<WeightSource> {
  if (entry.folder !== undefined) return checkpointWeights(await readCheckpointFolder(entry.folder));
  if (entry.pretrained) return await pretrainedWeights(entry);
  return entry.initial(createRandom(entry.recipe?.seed ?? SEED).fork("weights"));
}
