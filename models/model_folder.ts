/** @file A model from a folder on disk: its config decides family and sizes, its safetensors files are the weights. */
import { fingerprintFiles, hashFile } from "../numerics/file_hash.ts";
import { type Checkpoint, CheckpointError, findTensor } from "./checkpoint.ts";
import { isFile, readCheckpointFolder, tensorName, weightFiles } from "./checkpoint_folder.ts";
import {
  type CheckpointConfig,
  checkpointConfig,
  openClipConfig,
  openClipPreprocessing,
} from "./hugging_face.ts";
import { checkpointEntry, type ModelEntry } from "./entry.ts";
import { clipTextParameters } from "./clip_text.ts";
import { PREPROCESSOR, readImageInput } from "./image_input.ts";
import type { ParameterList } from "./weights.ts";
import { LOGIT_SCALE } from "./zero_shot.ts";

const CONFIG = "config.json";
const OPEN_CLIP = "open_clip_config.json";
/** What cuts real texts into the model's tokens and scales real images, where it is there. */
const PREPARATION = ["tokenizer.json", "tokenizer_config.json", PREPROCESSOR];

/**
 * The model in a folder of Hugging Face's layout (Llama, T5 v1.0 and v1.1, CLIP or its image tower) or of OpenCLIP's. Only
 * the config and the headers of the weights are read; `baseWeights` reads the rest.
 *
 * @param id what it is called in results and reports
 * @throws {CheckpointError} where the config is missing or of another family, and where a tensor is missing or has another
 * shape than the config says
 */
export async function readModelFolder(folder: string, id: string): Promise<ModelEntry> {
  const file = await configFile(folder), path = `${folder}/${file}`;
  let json: unknown;
  try {
    json = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw new CheckpointError(
      `Cannot read model config "${path}": ${
        error instanceof SyntaxError ? "it is not valid JSON" : String(error)
      }`,
      { cause: error },
    );
  }
  const isOpenClip = file === OPEN_CLIP;
  const read = isOpenClip ? openClipCheckpoint(json, path) : checkpointConfig(json, path);
  const entry = checkpointEntry(id, folder, read);
  const checkpoint = await readCheckpointFolder(folder);
  requireTensors(checkpoint, entry.parameters);
  if (read.family !== "vision") return entry;
  const preprocessing = isOpenClip ? openClipPreprocessing(json) : undefined;
  const image = await readImageInput(folder, read.config.channels, preprocessing);
  // Towers that are stored apart lack the scale of both, whatever the config tells of.
  const text = checkpoint.tensors.has(LOGIT_SCALE) ? read.text : undefined;
  if (text) requireTensors(checkpoint, [...clipTextParameters(text), { name: LOGIT_SCALE, shape: [] }]);
  return { ...entry, image, ...(text && { text }) };
}

function openClipCheckpoint(json: unknown, path: string): CheckpointConfig {
  const { vision, text } = openClipConfig(json, path);
  return { family: "vision", config: vision, text };
}

function requireTensors(checkpoint: Checkpoint, parameters: ParameterList): void {
  for (const { name, shape } of parameters) findTensor(checkpoint, tensorName(checkpoint, name), shape);
}

/**
 * SHA-256 over names and bytes of a folder's config, weights, tokenizer and image constants, in hex: the same for the same
 * files in another place.
 * What was read before and has not changed since is not read again, see `hashFile`.
 *
 * @throws {CheckpointError} where there is no config or there are no weights
 */
export async function fingerprintModel(folder: string): Promise<string> {
  const files = [await configFile(folder), ...await weightFiles(folder)];
  for (const file of PREPARATION) if (await isFile(`${folder}/${file}`)) files.push(file);
  return await fingerprintFiles(files, (file) => hashFile(`${folder}/${file}`));
}

async function configFile(folder: string): Promise<string> {
  if (await isFile(`${folder}/${CONFIG}`)) return CONFIG;
  if (await isFile(`${folder}/${OPEN_CLIP}`)) return OPEN_CLIP;
  throw new CheckpointError(`Cannot read model "${folder}": it has neither ${CONFIG} nor ${OPEN_CLIP}`);
}
