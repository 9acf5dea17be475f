/** @file A whole model with what a run trained in its weights, as a folder of Hugging Face's layout. */
import { UserError } from "../../errors/user_error.ts";
import { addChange, type TrainedWeights } from "../../models/adapters/low_rank_change.ts";
import type { CheckpointTensor } from "../../models/checkpoints/checkpoint.ts";
import { leftOver, readCheckpointFolder, tensorName } from "../../models/checkpoints/checkpoint_folder.ts";
import { configJson } from "../../models/checkpoints/config_json.ts";
import { readSafetensors } from "../../models/checkpoints/read_safetensors.ts";
import {
  type StreamedTensor,
  streamSafetensors,
  type WrittenDType,
} from "../../models/checkpoints/stream_safetensors.ts";
import { CLASSIFIER } from "../../models/image_classifier.ts";
import { isTurned, turnedData } from "../../models/checkpoints/turned.ts";
import type { Shape } from "../../gpu/tensor.ts";
import { pretrainedPath } from "../../models/base_weights.ts";
import type { ModelEntry } from "../../models/entry.ts";

/** Files beside a model's weights, which go along as they are. */
const BESIDE = [
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
  "tokenizer.model",
  "spiece.model",
  "spm.model",
  "tokenizer.bin",
  "special_tokens_map.json",
  "generation_config.json",
  "preprocessor_config.json",
] as const;

/** CLIP's projection, which a new head takes the place of. */
const PROJECTION = "visual_projection.weight";

/**
 * Writes `config.json` and `model.safetensors`, tensor by tensor, and copies what lies beside a model of the user's. Weights keep
 * the type that they have there; those of the project's own models become 32-bit floats.
 *
 * @param stages what is put into the weights, one after the other
 *
 * @throws {UserError} where the model has no such folder that others read, e.g. OpenCLIP's
 * @throws {CheckpointError} where weights can't be read or written
 */
export async function writeMerged(
  folder: string,
  entry: ModelEntry,
  stages: readonly TrainedWeights[],
): Promise<void> {
  const { folder: base } = entry;
  const checkpoint = base === undefined
    ? await readSafetensors(decodeURIComponent(pretrainedPath(entry).pathname))
    : await readCheckpointFolder(base);
  const wholes = new Map(stages.flatMap(({ whole }) => [...whole])), config = await configOf(entry, wholes);
  const changes = Map.groupBy(stages.flatMap(({ changes }) => changes), ({ path }) => `${path}.weight`);
  const kept = new Set(leftOver(checkpoint, entry.parameters.map(({ name }) => name)));
  const tensors: StreamedTensor[] = entry.parameters.map(({ name, shape }) => {
    const stored = checkpoint.tensors.get(tensorName(checkpoint, name)), whole = wholes.get(name);
    const dtype = base === undefined ? "F32" : typeOf(stored);
    const asStored = (shape: Shape, read: () => Float32Array<ArrayBuffer>): StreamedTensor =>
      isTurned(name)
        ? { name, shape: shape.toReversed(), dtype, read: () => turnedData(read(), shape[0]!) }
        : { name, shape, dtype, read };
    if (whole) return asStored(whole.shape, () => whole.data);
    const own = changes.get(name);
    return asStored(shape, () => {
      const weight = stored!.data;
      for (const change of own ?? []) addChange(weight, change);
      return weight;
    });
  });
  // What our model has no place for, and others have: CLIP's text tower.
  for (const name of kept) {
    const stored = checkpoint.tensors.get(name)!;
    tensors.push({ name, shape: stored.shape, dtype: typeOf(stored), read: () => stored.data });
  }
  await Deno.writeTextFile(`${folder}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
  await streamSafetensors(`${folder}/model.safetensors`, tensors, { format: "pt" });
  if (base === undefined) return;
  for (const file of BESIDE) {
    try {
      await Deno.copyFile(`${base}/${file}`, `${folder}/${file}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function typeOf(stored: CheckpointTensor | undefined): WrittenDType {
  return stored?.dtype === "F16" || stored?.dtype === "BF16" ? stored.dtype : "F32";
}

async function configOf(entry: ModelEntry, whole: TrainedWeights["whole"]): Promise<unknown> {
  const { id, folder } = entry, head = whole.get(PROJECTION);
  if (folder === undefined) {
    const config = configJson(entry);
    if (config) return config;
    throw new UserError(`Cannot merge into model "${id}": it has no config of Hugging Face's`);
  }
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  } catch {
    throw new UserError(
      `Cannot merge into ${folder}: a folder of Hugging Face's layout with config.json is needed`,
    );
  }
  // A new head has as many rows as there are classes.
  if (head) return { ...config, projection_dim: head.shape[0] };
  const classes = (whole.get(CLASSIFIER[0]) ?? whole.get("classifier.out_proj.weight"))?.shape[0];
  if (classes === undefined || classes === Object.keys(config["id2label"] ?? {}).length) return config;
  // A new classifier has as many rows as there are classes, whose names the data have.
  const labels = Array.from({ length: classes }, (_, i) => `LABEL_${i}`);
  return {
    ...config,
    id2label: Object.fromEntries(labels.entries()),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
  };
}
