/** @file A tiny CLIP with both towers as it lies on disk, and images for it. */
import { encode as encodePng } from "fast-png";
import { writeSafetensors } from "../../models/checkpoints/write_safetensors.ts";
import { clipTextParameters } from "../../models/clip_text.ts";
import { clipConfig } from "../../models/checkpoints/hugging_face.ts";
import { visionParameters } from "../../models/vision.ts";
import { initialWeights } from "../../models/weights.ts";
import { createRandom } from "../../numerics/random.ts";

/** A token a character: the end token has the largest id, as in CLIP. */
const CHARACTERS = ["<pad>", " ", ".", ..."abcdefghijklmnopqrstuvwxyz", "<|end|>"];

/** The end token's id. */
export const CLIP_END = CHARACTERS.length - 1;

/** The tokens of a text with its end token, by the tokenizer of `clipTokenizerFiles`. */
export function clipTokens(text: string): Int32Array<ArrayBuffer> {
  return Int32Array.of(...[...text].map((character) => CHARACTERS.indexOf(character)), CLIP_END);
}

/** `tokenizer.json` and `tokenizer_config.json` by name. */
export function clipTokenizerFiles(): Record<string, string> {
  const added = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: ["<pad>", "<|end|>"].map((content) => ({
      id: CHARACTERS.indexOf(content),
      content,
      ...added,
    })),
    normalizer: null,
    pre_tokenizer: { type: "Split", pattern: { String: "" }, behavior: "Isolated", invert: true },
    post_processor: null,
    decoder: null,
    model: {
      type: "WordLevel",
      vocab: Object.fromEntries(CHARACTERS.map((character, id) => [character, id])),
      unk_token: "<pad>",
    },
  };
  return {
    "tokenizer.json": JSON.stringify(tokenizer),
    "tokenizer_config.json": JSON.stringify({ eos_token: "<|end|>" }),
  };
}

/** Sizes as Hugging Face writes them. */
export const TINY_CLIP = {
  model_type: "clip",
  projection_dim: 6,
  text_config: {
    vocab_size: CHARACTERS.length,
    hidden_size: 8,
    intermediate_size: 12,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: 32,
    eos_token_id: CLIP_END,
  },
  vision_config: {
    image_size: 8,
    patch_size: 4,
    hidden_size: 12,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 3,
  },
};

/** Writes both towers with seeded random weights, and a tokenizer. */
export async function writeClip(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const { vision, text } = clipConfig(TINY_CLIP, folder), source = initialWeights(createRandom(5));
  const parameters = [...visionParameters(vision), ...clipTextParameters(text)];
  await writeSafetensors(
    `${folder}/model.safetensors`,
    new Map([
      ...parameters.map(({ name, shape }) => [name, { shape, data: source(name, shape) }] as const),
      ["logit_scale", { shape: [], data: Float32Array.of(Math.log(20)) }] as const,
    ]),
  );
  const files = { "config.json": JSON.stringify(TINY_CLIP), ...clipTokenizerFiles() };
  for (const [name, content] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, content);
}

/** Files of `each` coloured images a class, by their paths, of which no two are equal. */
export function imageFiles(
  folder: string,
  classes: readonly string[],
  each: number,
): Record<string, Uint8Array> {
  return Object.fromEntries(classes.flatMap((name, label) =>
    Array.from({ length: each }, (_, i) => {
      const random = createRandom(i).fork(name), [width, height] = [6 + i % 5, 6 + i % 3];
      const noise = random.normal(width * height * 3, 40);
      const data = Uint8Array.from(noise, (value, k) => {
        return Math.max(0, Math.min(255, (k % 3 === label % 3 ? 180 : 60) + value));
      });
      return [`${folder}/${name}/${i}.png`, encodePng({ width, height, channels: 3, depth: 8, data })];
    })
  ));
}
