/**
 * @file Checkpoints as folders have them: Hugging Face's with one safetensors file, or with several and an index of their
 * tensors, OpenCLIP's, and TensorFlow.js's of the Universal Sentence Encoder.
 */
import { z } from "zod";
import { fileKind } from "../../files/file_kind.ts";
import { isFile as isFileThere, UnreadableFile } from "../../files/json_file.ts";
import { system } from "../../system/mod.ts";
import { type Checkpoint, CheckpointError, type CheckpointTensor, takeWeights } from "./checkpoint.ts";
import { openSafetensors } from "./read_safetensors.ts";
import { readCheckpointJson } from "./checkpoint_json.ts";
import { GRAPH_MODEL, graphModelFiles } from "./graph_model.ts";
import { openClipTensors } from "./open_clip.ts";
import { unturned } from "./turned.ts";
import { readUseLite } from "./use_lite.ts";
import { quote } from "../../errors/quote.ts";
import type { WeightSource } from "../weights.ts";

const WHOLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const OPEN_CLIP = "open_clip_model.safetensors";
const Index = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * Opens the weights of a folder: `model.safetensors`, or where there is none the files that
 * `model.safetensors.index.json` names, or where there is no such file `open_clip_model.safetensors`, or what `model.json` lists.
 * Headers are read at once, elements when they are asked for, so that a checkpoint may be larger than memory. Maps are `[out, in]` whatever files have, see `isTurned`.
 *
 * @throws {CheckpointError} where there is none of them, where a file is missing or unsound, and where one lacks a tensor that
 * the index says it has
 */
export async function readCheckpointFolder(folder: string): Promise<Checkpoint> {
  if (await isFile(`${folder}/${WHOLE}`)) return unturned(await openSafetensors(`${folder}/${WHOLE}`));
  if (await isGraphModel(folder)) return (await readUseLite(folder)).checkpoint;
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
        `Cannot read checkpoint "${folder}": ${INDEX} says that tensor ${
          quote(name)
        } is in "${file}", which lacks it`,
      );
    }
    tensors.set(name, tensor);
  }
  // What the index leaves out is in the checkpoint too: it must not be passed over.
  for (const shard of shards.values()) {
    for (const [name, tensor] of shard.tensors) if (!tensors.has(name)) tensors.set(name, tensor);
  }
  return unturned({ name: folder, metadata: {}, tensors });
}

/**
 * Names of the files with a folder's weights, sorted: what `readCheckpointFolder` reads.
 *
 * @throws {CheckpointError} where there are none, or the index is unsound
 */
export async function weightFiles(folder: string): Promise<string[]> {
  if (await isFile(`${folder}/${WHOLE}`)) return [WHOLE];
  if (await isGraphModel(folder)) return await graphModelFiles(folder);
  const places = await readPlaces(folder);
  return places ? [...new Set(places.values())].sort() : [OPEN_CLIP];
}

/** True where the only checkpoint is a graph model. */
async function isGraphModel(folder: string): Promise<boolean> {
  for (const file of [INDEX, OPEN_CLIP]) if (await isFile(`${folder}/${file}`)) return false;
  return await isFile(`${folder}/${GRAPH_MODEL}`);
}

/** The shard of each tensor; null for OpenCLIP's one file. */
async function readPlaces(folder: string): Promise<ReadonlyMap<string, string> | null> {
  if (await isFile(`${folder}/${INDEX}`)) return await readIndex(`${folder}/${INDEX}`);
  if (await isFile(`${folder}/${OPEN_CLIP}`)) return null;
  const isPickled = await isFile(`${folder}/pytorch_model.bin`) ||
    await isFile(`${folder}/pytorch_model.bin.index.json`);
  throw new CheckpointError(
    `Cannot read checkpoint "${folder}": it has neither ${WHOLE} nor ${INDEX}${
      isPickled ? ", and pytorch_model.bin is a program's memory, which is not read" : ""
    }`,
  );
}

/** What is amiss with a path that is to be a folder, to end a sentence; null where it is one. */
export async function lackOfFolder(path: string): Promise<string | null> {
  const info = await system.stat(path).catch((error) => {
    if (["missing", "no folder"].includes(system.faultOf(error) ?? "")) return null;
    throw error;
  });
  if (info === null) return "there is no such folder";
  return info.isDirectory ? null : `it is ${fileKind(info)}, a folder is needed`;
}

/** The file of each tensor. */
async function readIndex(path: string): Promise<ReadonlyMap<string, string>> {
  const validate = (reason: string, cause?: unknown) =>
    new CheckpointError(`Cannot read checkpoint index "${path}": ${reason}`, { cause });
  const json = await readCheckpointJson(path, validate);
  const parsed = Index.safeParse(json);
  if (!parsed.success) throw validate("its weight_map does not name a file for each tensor");
  const places = Object.entries(parsed.data.weight_map);
  if (places.length === 0) throw validate("its weight_map is empty");
  for (const [name, file] of places) {
    // A checkpoint has no business outside its folder.
    if (!/^[^/\\]+\.safetensors$/.test(file)) {
      throw validate(
        `tensor ${quote(name)} is in ${quote(file)}, the name of a safetensors file in the folder is needed`,
      );
    }
  }
  return new Map(places);
}

/**
 * True where there is a file at a path, or a link to one.
 *
 * @throws {CheckpointError} where something else is there, or it can't be told
 */
export async function isFile(path: string): Promise<boolean> {
  try {
    return await isFileThere(path);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    throw new CheckpointError(`Cannot read "${path}": ${error.message}`, { cause: error });
  }
}

/** Other names of a tensor that several parts of a model share: which of them a file has depends on who wrote it. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  "shared.weight": ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"],
};

/** What names of a whole model begin with, and those in a file of the network without its head may not. */
const ROOT = /^(transformer|vit|dinov2|bert|roberta|distilbert|deberta)\./;
/** What first files of BERT call a norm's weight and bias. */
const FIRST: Readonly<Record<string, string>> = { weight: "gamma", bias: "beta" };

/** The name under which a checkpoint has a tensor, or the tensor's own where it has it under none. */
export function tensorName({ tensors }: Checkpoint, name: string): string {
  const names = [name, ...SHARED[name] ?? [], name.replace(ROOT, "")];
  const older = names.map((one) => one.replace(/(?<=LayerNorm\.)(weight|bias)$/, (part) => FIRST[part]!));
  return [...names, ...older].find((one) => tensors.has(one)) ?? name;
}

/**
 * The weights of a checkpoint by the names that models ask for; what no model asks for is left alone.
 *
 * The source throws a CheckpointError where a tensor is missing, has another shape, or elements that are no finite
 * floating-point numbers.
 */
export function checkpointWeights(checkpoint: Checkpoint): WeightSource {
  return (name, shape) => takeWeights(checkpoint, tensorName(checkpoint, name), shape);
}

/** What checkpoints have beside a model's parameters without meaning more by it, and other readers pass over too. */
const HARMLESS: readonly RegExp[] = [
  // Constants of the network, as old files kept them.
  /(^|\.)rotary_emb\.inv_freq$/,
  /(^|\.)embeddings\.position_ids$/,
  /(^|\.)h\.\d+\.attn\.(masked_)?bias$/,
  // T5's first files have a table there that no T5 looks at.
  /^decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$/,
  // Copies of tensors that parts of the model share: the head of the embedding, where it is tied.
  /^lm_head\.weight$/,
  ...Object.values(SHARED).flat().map((name) => new RegExp(`^${RegExp.escape(name)}$`)),
];

/**
 * Names of the tensors that a model has no place for, though they may change what it computes: biases, adapters, scales of
 * packed weights, further layers.
 *
 * @param taken names of its parameters
 */
export function leftOver(checkpoint: Checkpoint, taken: Iterable<string>): string[] {
  const known = new Set(Array.from(taken, (name) => tensorName(checkpoint, name)));
  return [...checkpoint.tensors.keys()].filter((name) =>
    !known.has(name) && !HARMLESS.some((pattern) => pattern.test(name))
  );
}
