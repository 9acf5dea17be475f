/**
 * @file Checkpoints as folders have them: Hugging Face's with one safetensors file, or with several and an index of their
 * tensors, and OpenCLIP's.
 */
import { z } from "zod";
import {
  type Checkpoint,
  CheckpointError,
  type CheckpointTensor,
  openSafetensors,
  take,
} from "./checkpoint.ts";
import { openClipTensors } from "./open_clip.ts";
import type { WeightSource } from "./weights.ts";

const WHOLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const OPEN_CLIP = "open_clip_model.safetensors";
const Index = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * Opens the weights of a folder: `model.safetensors`, or where there is none the files that
 * `model.safetensors.index.json` names, or where there is no such file `open_clip_model.safetensors`. Headers are read at once, elements when they are asked for, so that a checkpoint
 * may be larger than memory.
 *
 * @throws {CheckpointError} where there is none of them, where a file is missing or unsound, and where one lacks a tensor that
 * the index says it has
 */
export async function readCheckpointFolder(folder: string): Promise<Checkpoint> {
  if (await isFile(`${folder}/${WHOLE}`)) return await openSafetensors(`${folder}/${WHOLE}`);
  const places = await readPlaces(folder);
  if (!places) return openClipTensors(await openSafetensors(`${folder}/${OPEN_CLIP}`));
  const shards = new Map<string, Checkpoint>();
  for (const file of new Set(places.values())) {
    shards.set(file, await openSafetensors(`${folder}/${file}`));
  }
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, file] of places) {
    const tensor = shards.get(file)!.tensors.get(name);
    if (!tensor) {
      throw new CheckpointError(
        `Cannot read checkpoint "${folder}": ${INDEX} says that tensor "${name}" is in "${file}", which lacks it`,
      );
    }
    tensors.set(name, tensor);
  }
  return { name: folder, metadata: {}, tensors };
}

/**
 * Names of the files with a folder's weights, sorted: what `readCheckpointFolder` reads.
 *
 * @throws {CheckpointError} where there are none, or the index is unsound
 */
export async function weightFiles(folder: string): Promise<string[]> {
  if (await isFile(`${folder}/${WHOLE}`)) return [WHOLE];
  const places = await readPlaces(folder);
  return places ? [...new Set(places.values())].sort() : [OPEN_CLIP];
}

/** The shard of each tensor; null for OpenCLIP's one file. */
async function readPlaces(folder: string): Promise<ReadonlyMap<string, string> | null> {
  if (await isFile(`${folder}/${INDEX}`)) return await readIndex(`${folder}/${INDEX}`);
  if (await isFile(`${folder}/${OPEN_CLIP}`)) return null;
  throw new CheckpointError(`Cannot read checkpoint "${folder}": it has neither ${WHOLE} nor ${INDEX}`);
}

/** The file of each tensor. */
async function readIndex(path: string): Promise<ReadonlyMap<string, string>> {
  const refuse = (reason: string, cause?: unknown) =>
    new CheckpointError(`Cannot read checkpoint index "${path}": ${reason}`, { cause });
  let json: unknown;
  try {
    json = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw refuse(error instanceof SyntaxError ? "it is not valid JSON" : String(error), error);
  }
  const parsed = Index.safeParse(json);
  if (!parsed.success) throw refuse("its weight_map does not name a file for each tensor");
  const places = Object.entries(parsed.data.weight_map);
  if (places.length === 0) throw refuse("its weight_map is empty");
  for (const [name, file] of places) {
    // A checkpoint has no business outside its folder.
    if (!/^[^/\\]+\.safetensors$/.test(file)) {
      throw refuse(
        `tensor "${name}" is in "${file}", the name of a safetensors file in the folder is needed`,
      );
    }
  }
  return new Map(places);
}

/** True where there is a file at a path, or a link to one. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/** Other names of a tensor that several parts of a model share: which of them a file has depends on who wrote it. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  "shared.weight": ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"],
};

/** The name under which a checkpoint has a tensor, or the tensor's own where it has it under none. */
export function tensorName({ tensors }: Checkpoint, name: string): string {
  return [name, ...SHARED[name] ?? []].find((one) => tensors.has(one)) ?? name;
}

/**
 * The weights of a checkpoint by the names that models ask for; what no model asks for is left alone.
 *
 * The source throws a CheckpointError where a tensor is missing or has another shape.
 */
export function checkpointWeights(checkpoint: Checkpoint): WeightSource {
  return (name, shape) => take(checkpoint, tensorName(checkpoint, name), shape);
}
