/** @file A model from a folder on disk: its config decides family and sizes, its safetensors files are the weights. */
import { fingerprintFiles, hashFile } from "../numerics/file_hash.ts";
import { CheckpointError, findTensor } from "./checkpoint.ts";
import { isFile, readCheckpointFolder, tensorName, weightFiles } from "./checkpoint_folder.ts";
import { checkpointConfig, openClipConfig } from "./hugging_face.ts";
import { checkpointEntry, type ModelEntry } from "./entry.ts";

const CONFIG = "config.json";
const OPEN_CLIP = "open_clip_config.json";
/** What cuts real texts into the model's tokens, where it is there. */
const TOKENIZER = ["tokenizer.json", "tokenizer_config.json"];

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
  const read = file === CONFIG
    ? checkpointConfig(json, path)
    : { family: "vision", config: openClipConfig(json, path).vision } as const;
  const entry = checkpointEntry(id, folder, read);
  const checkpoint = await readCheckpointFolder(folder);
  for (const { name, shape } of entry.parameters) {
    findTensor(checkpoint, tensorName(checkpoint, name), shape);
  }
  return entry;
}

/**
 * SHA-256 over names and bytes of a folder's config, weights and tokenizer, in hex: the same for the same files in
 * another place.
 * What was read before and has not changed since is not read again, see `hashFile`.
 *
 * @throws {CheckpointError} where there is no config or there are no weights
 */
export async function fingerprintModel(folder: string): Promise<string> {
  const files = [await configFile(folder), ...await weightFiles(folder)];
  for (const file of TOKENIZER) if (await isFile(`${folder}/${file}`)) files.push(file);
  return await fingerprintFiles(files, (file) => hashFile(`${folder}/${file}`));
}

async function configFile(folder: string): Promise<string> {
  if (await isFile(`${folder}/${CONFIG}`)) return CONFIG;
  if (await isFile(`${folder}/${OPEN_CLIP}`)) return OPEN_CLIP;
  throw new CheckpointError(`Cannot read model "${folder}": it has neither ${CONFIG} nor ${OPEN_CLIP}`);
}
