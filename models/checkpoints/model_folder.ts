/** @file A model from a folder on disk: its config decides family and sizes, its safetensors files are the weights. */
import { fingerprintFiles, hashFile } from "../../files/file_hash.ts";
import { type Checkpoint, CheckpointError, findWeights } from "./checkpoint.ts";
import {
  isFile,
  lackOfFolder,
  leftOver,
  readCheckpointFolder,
  tensorName,
  weightFiles,
} from "./checkpoint_folder.ts";
import { readCheckpointJson } from "./checkpoint_json.ts";
import {
  type CheckpointConfig,
  checkpointConfig,
  openClipConfig,
  openClipPreprocessing,
} from "./hugging_face.ts";
import { checkpointEntry, type ModelEntry } from "../entry.ts";
import { clipTextParameters } from "../clip_text.ts";
import { GRAPH_MODEL } from "./graph_model.ts";
import { CLASSIFIER, imageClassifierBeside, type ImageClassifierConfig } from "../image_classifier.ts";
import { type TextClassifierConfig, textHeadParameters } from "../text_classifier.ts";
import { PREPROCESSOR, readImageInput } from "./image_input.ts";
import { quote } from "../../errors/quote.ts";
import { readUseLite } from "./use_lite.ts";
import type { ParameterList } from "../weights.ts";
import { LOGIT_SCALE } from "../zero_shot.ts";

const CONFIG = "config.json";
const OPEN_CLIP = "open_clip_config.json";
/** What cuts real texts into the model's tokens and scales real images, where it is there. */
const TOKENIZER = "tokenizer.json";
const PREPARATION = [
  TOKENIZER,
  "tokenizer_config.json",
  "chat_template.jinja",
  PREPROCESSOR,
  "generation_config.json",
];
/** What does where there is no `tokenizer.json`. */
const OTHER_TOKENIZERS = ["tokenizer.model", "spiece.model", "spm.model", "tokenizer.bin", "vocab.json"];

/**
 * The model in a folder of Hugging Face's layout (see `checkpointConfig`), of OpenCLIP's, or of TensorFlow.js's. Only
 * the config and the headers of the weights are read; `baseWeights` reads the rest.
 *
 * @param id what it is called in results and reports
 * @throws {CheckpointError} where the config is missing or of another family, where a tensor is missing or has another
 * shape than the config says, and where there are tensors that the model has no place for
 */
export async function readModelFolder(folder: string, id: string): Promise<ModelEntry> {
  const file = await configFile(folder), path = `${folder}/${file}`;
  if (file === GRAPH_MODEL) return await graphModel(folder, id, path);
  const validate = (reason: string, cause?: unknown) =>
    new CheckpointError(`Cannot read model config "${path}": ${reason}`, { cause });
  const json = await readCheckpointJson(path, validate);
  const isOpenClip = file === OPEN_CLIP;
  const read = isOpenClip ? openClipCheckpoint(json, path) : checkpointConfig(json, path);
  const checkpoint = await readCheckpointFolder(folder);
  // Before anything is made of the config, which may say any number: each layer has a tensor of its own.
  const layers = Math.max(...layersOf(read)), { size } = checkpoint.tensors;
  if (layers > size) {
    throw validate(`it has ${layers} layers, but "${checkpoint.name}" has ${size} tensors in all`);
  }
  if (read.family === "image-classifier") {
    return await imageClassifier(checkpoint, folder, id, path, read.config);
  }
  if (read.family === "text-classifier") return textClassifier(checkpoint, folder, id, path, read.config);
  const entry = checkpointEntry(id, folder, read);
  requireTensors(checkpoint, entry.parameters);
  const beside = read.family === "vision" && read.text
    ? [...clipTextParameters(read.text), { name: LOGIT_SCALE, shape: [] }]
    : [];
  requireNoOther(checkpoint, [...entry.parameters, ...beside], path);
  if (read.family !== "vision") return entry;
  const preprocessing = isOpenClip ? openClipPreprocessing(json) : undefined;
  const { image: side, channels } = read.config;
  const { input: image } = await readImageInput(folder, { side, channels }, preprocessing);
  // Towers that are stored apart lack the scale of both, whatever the config tells of.
  const text = checkpoint.tensors.has(LOGIT_SCALE) ? read.text : undefined;
  if (text) requireTensors(checkpoint, beside);
  return { ...entry, image, ...(text && { text }) };
}

/** The Universal Sentence Encoder, whose sizes are those of its tensors. */
async function graphModel(folder: string, id: string, path: string): Promise<ModelEntry> {
  const { checkpoint, config } = await readUseLite(folder);
  const entry = checkpointEntry(id, folder, { family: "use-lite", config });
  requireTensors(checkpoint, entry.parameters);
  requireNoOther(checkpoint, entry.parameters, path);
  return entry;
}

/** How Hugging Face prepares images where a folder does not say. */
const STANDARD: Readonly<Record<ImageClassifierConfig["kind"], unknown>> = {
  vit: { image_processor_type: "ViTImageProcessor" },
  dinov2: {
    image_processor_type: "BitImageProcessor",
    image_mean: [0.485, 0.456, 0.406],
    image_std: [0.229, 0.224, 0.225],
  },
};

/** An image classifier, or one whose head is to be made: a checkpoint that was only pretrained has none. */
async function imageClassifier(
  checkpoint: Checkpoint,
  folder: string,
  id: string,
  path: string,
  given: ImageClassifierConfig,
): Promise<ModelEntry> {
  // DINOv2's table of positions is for larger images than its files' are cut to.
  const tower = { side: given.image, channels: given.channels, takesOthers: given.kind === "dinov2" };
  const { input, side } = await readImageInput(folder, tower, STANDARD[given.kind]);
  if (side % given.patch !== 0) {
    throw new CheckpointError(
      `Cannot read model config "${path}": images of ${side} pixels can't be cut into patches of ${given.patch}`,
    );
  }
  const config = side === given.image ? given : { ...given, image: side, positionsFor: given.image };
  const entry = checkpointEntry(id, folder, { family: "image-classifier", config });
  const isHead = ({ name }: { readonly name: string }) => CLASSIFIER.some((one) => one === name);
  const hasHead = checkpoint.tensors.has(CLASSIFIER[0]);
  requireTensors(checkpoint, hasHead ? entry.parameters : entry.parameters.filter((one) => !isHead(one)));
  requireNoOther(checkpoint, [...entry.parameters, ...imageClassifierBeside(config)], path);
  return { ...entry, image: input };
}

/** Heads of other tasks, which a checkpoint may have beside its encoder or in place of a classifier. */
const OTHER_HEADS =
  /^(cls|lm_head|vocab_transform|vocab_layer_norm|vocab_projector|roberta\.pooler|pooler|lm_predictions|mask_predictions)\.|^deberta\.embeddings\.position_embeddings\./;

/** A text classifier, or one whose head is to be made: a checkpoint that was only pretrained has none. */
function textClassifier(
  checkpoint: Checkpoint,
  folder: string,
  id: string,
  path: string,
  given: TextClassifierConfig,
): ModelEntry {
  const { classifier, pooler } = textHeadParameters(given);
  const lacks = (list: ParameterList) =>
    list.every(({ name }) => !checkpoint.tensors.has(tensorName(checkpoint, name)));
  const config = lacks(pooler) ? { ...given, newPooler: true as const } : given;
  const entry = checkpointEntry(id, folder, { family: "text-classifier", config });
  const absent = [classifier, pooler].filter(lacks).flat().map(({ name }) => name);
  requireTensors(checkpoint, entry.parameters.filter(({ name }) => !absent.includes(name)));
  const others = [...checkpoint.tensors].filter(([name]) => OTHER_HEADS.test(name));
  const beside = others.map(([name, { shape }]) => ({ name, shape }));
  requireNoOther(checkpoint, [...entry.parameters, ...beside], path);
  return entry;
}

/** The layers of each of a model's towers. */
function layersOf(read: CheckpointConfig): number[] {
  switch (read.family) {
    case "decoder":
    case "gpt2":
    case "image-classifier":
    case "text-classifier":
    case "use-lite":
      return [read.config.layers];
    case "encoder-decoder":
      return [read.config.encoderLayers, read.config.decoderLayers];
    case "vision":
      return [read.config.layers, ...read.text ? [read.text.layers] : []];
  }
}

function openClipCheckpoint(json: unknown, path: string): CheckpointConfig {
  const { vision, text } = openClipConfig(json, path);
  return { family: "vision", config: vision, text };
}

function requireTensors(checkpoint: Checkpoint, parameters: ParameterList): void {
  for (const { name, shape } of parameters) findWeights(checkpoint, tensorName(checkpoint, name), shape);
}

/** What has no place in the model would be passed over in silence, and the model be another than the user's. */
function requireNoOther(checkpoint: Checkpoint, parameters: ParameterList, config: string): void {
  const [first, ...others] = leftOver(checkpoint, parameters.map(({ name }) => name));
  if (first === undefined) return;
  const all = others.length === 0 ? "" : ` and ${others.length} more`;
  const advice = /lora_|adapter/i.test(first) ? ": adapters are to be merged into the weights" : "";
  throw new CheckpointError(
    `Cannot use checkpoint "${checkpoint.name}": the model that "${config}" describes has no place for tensor ${
      quote(first)
    }${all}${advice}`,
  );
}

/**
 * SHA-256 over names and bytes of a folder's config, weights, tokenizer, image constants and what ends its texts, in hex: the
 * same for the same files in another place.
 * What was read before and has not changed since is not read again, see `hashFile`.
 *
 * @throws {CheckpointError} where there is no config or there are no weights
 */
export async function fingerprintModel(folder: string): Promise<string> {
  const files = [await configFile(folder), ...await weightFiles(folder)];
  const tokenizers = await isFile(`${folder}/${TOKENIZER}`) ? [] : OTHER_TOKENIZERS;
  for (const file of [...PREPARATION, ...tokenizers]) if (await isFile(`${folder}/${file}`)) files.push(file);
  return await fingerprintFiles(files, (file) => hashFile(`${folder}/${file}`));
}

async function configFile(folder: string): Promise<string> {
  if (await isFile(`${folder}/${CONFIG}`)) return CONFIG;
  if (await isFile(`${folder}/${OPEN_CLIP}`)) return OPEN_CLIP;
  if (await isFile(`${folder}/${GRAPH_MODEL}`)) return GRAPH_MODEL;
  const lack = await lackOfFolder(folder) ?? `it has neither ${CONFIG} nor ${OPEN_CLIP}`;
  throw new CheckpointError(`Cannot read model "${folder}": ${lack}`);
}
