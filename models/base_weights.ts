/** @file The weights that fine-tuning starts from: base checkpoints, the user's, or seeded random numbers. */
import { system } from "../system/mod.ts";
import { createRandom } from "../numerics/random.ts";
import { addChange } from "./adapters/low_rank_change.ts";
import { readPeftFolder } from "./adapters/read_peft.ts";
import { requireFits, requireShape } from "./adapters/require_fits.ts";
import { CheckpointError } from "./checkpoints/checkpoint.ts";
import { readSafetensors } from "./checkpoints/read_safetensors.ts";
import { checkpointWeights, readCheckpointFolder } from "./checkpoints/checkpoint_folder.ts";
import type { ModelEntry } from "./entry.ts";
import type { WeightSource } from "./weights.ts";

/** Where a model's base checkpoint lies. */
export function pretrainedPath({ id, checkpoint }: Pick<ModelEntry, "id" | "checkpoint">): URL {
  return checkpoint ?? system.own(`models/pretrained/${id}.safetensors`);
}

/** Weights of a model's base checkpoint. @throws {CheckpointError} where it is missing or does not fit */
export async function pretrainedWeights(entry: ModelEntry): Promise<WeightSource> {
  return checkpointWeights(await readSafetensors(pretrainedPath(entry)));
}

/** Seeds the random weights of models that have no recipe. */
const SEED = 1;

/**
 * The weights that fine-tuning starts from: the base checkpoint, the user's or the project's, or seeded random numbers where
 * there is none; with an adapter's change, where the entry has one.
 *
 * @throws {CheckpointError} where the checkpoint or the adapter is missing or does not fit
 */
export async function baseWeights(entry: ModelEntry): Promise<WeightSource> {
  const base = await weightsOf(entry);
  return entry.adapter === undefined ? base : await withAdapter(base, entry, entry.adapter);
}

async function weightsOf(entry: ModelEntry): Promise<WeightSource> {
  if (entry.folder !== undefined) return checkpointWeights(await readCheckpointFolder(entry.folder));
  if (entry.pretrained) return await pretrainedWeights(entry);
  return entry.initial(createRandom(entry.recipe?.seed ?? SEED).fork("weights"));
}

/** Weights with what an adapter makes of them. */
async function withAdapter(base: WeightSource, entry: ModelEntry, folder: string): Promise<WeightSource> {
  const adapter = await readPeftFolder(folder);
  requireFits(adapter, entry);
  const fault = (reason: string) =>
    new CheckpointError(`Cannot use adapter "${folder}" with model "${entry.id}": ${reason}`);
  const changes = new Map(adapter.changes.map((change) => [`${change.path}.weight`, change]));
  return (name, shape) => {
    const whole = adapter.whole.get(name), change = changes.get(name);
    if (whole) {
      requireShape(fault, name, whole.shape, shape);
      return whole.data.slice();
    }
    if (!change) return base(name, shape);
    const weight = base(name, shape);
    addChange(weight, change);
    return weight;
  };
}
