/**
 * @file Reads the `config.json` of Hugging Face checkpoints, whose weights have the names that our models use, and the
 * `open_clip_config.json` of OpenCLIP's.
 */
import { z } from "zod";
import { CheckpointError } from "./checkpoint.ts";
import type { ClipTextConfig } from "../clip_text.ts";
import type { DecoderConfig } from "../decoder.ts";
import type { Gpt2Config } from "../gpt2.ts";
import type { ImageClassifierConfig } from "../image_classifier.ts";
import type { TextClassifierConfig } from "../text_classifier.ts";
import type { UseLiteConfig } from "../use_lite.ts";
import type { EncoderDecoderConfig } from "../encoder_decoder.ts";
import { show } from "../../errors/quote.ts";
import type { VisionConfig } from "../vision.ts";
import { check, length, positive, size, token, unpacked } from "./configs/fields.ts";
import { gemma2Config } from "./configs/gemma2.ts";
import { gemma3Config } from "./configs/gemma3.ts";
import { gpt2Config } from "./configs/gpt2.ts";
import { dinov2Config, vitConfig } from "./configs/image_classifiers.ts";
import { bertConfig, debertaV2Config, distilBertConfig, robertaConfig } from "./configs/text_classifiers.ts";
import { llamaConfig } from "./configs/llama.ts";
import { mistralConfig } from "./configs/mistral.ts";
import { qwen2Config } from "./configs/qwen2.ts";
import { qwen3Config } from "./configs/qwen3.ts";

export {
  bertConfig,
  debertaV2Config,
  dinov2Config,
  distilBertConfig,
  gemma2Config,
  gemma3Config,
  gpt2Config,
  llamaConfig,
  mistralConfig,
  qwen2Config,
  qwen3Config,
  robertaConfig,
  vitConfig,
};

/** What both towers of CLIP have; files leave out what is as in ViT-B/32, the first one published. */
const tower = {
  ...unpacked,
  num_hidden_layers: size.default(12),
  hidden_act: z.enum(["gelu", "quick_gelu"]).default("quick_gelu"),
  layer_norm_eps: positive.default(1e-5),
};
const headsFit = (read: { readonly hidden_size: number; readonly num_attention_heads: number }) =>
  read.hidden_size % read.num_attention_heads === 0;
const headsNeed = { path: ["num_attention_heads"], error: "a divisor of hidden_size is needed" };

const ClipVisionConfig = z.object({
  ...tower,
  model_type: z.literal("clip_vision_model"),
  image_size: size.default(224),
  num_channels: size.default(3),
  patch_size: size.default(32),
  hidden_size: size.default(768),
  intermediate_size: size.default(3072),
  num_attention_heads: size.default(12),
  projection_dim: size.default(512),
}).refine(headsFit, headsNeed).refine((read) => read.image_size % read.patch_size === 0, {
  path: ["patch_size"],
  error: "a divisor of image_size is needed",
});

const ClipTextConfig = z.object({
  ...tower,
  model_type: z.literal("clip_text_model"),
  vocab_size: size.default(49408),
  hidden_size: size.default(512),
  intermediate_size: size.default(2048),
  num_attention_heads: size.default(8),
  max_position_embeddings: size.default(77),
  projection_dim: size.default(512),
  eos_token_id: token.default(49407),
}).refine(headsFit, headsNeed);

/** Old files don't say which tower is which in the towers' own parts. */
const part = <S extends z.ZodType>(kind: string, schema: S) =>
  z.preprocess(
    (fields) => fields === undefined || isRecord(fields) ? { model_type: kind, ...fields } : fields,
    schema,
  );
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const ClipConfig = z.object({
  ...unpacked,
  model_type: z.literal("clip"),
  projection_dim: size.default(512),
  text_config: part("clip_text_model", ClipTextConfig),
  vision_config: part("clip_vision_model", ClipVisionConfig),
});

const isDivided = (whole: number, part: number) => Number.isInteger(part) && whole % part === 0;
const isHiddenWhole = ({ width, mlp_ratio }: { readonly width: number; readonly mlp_ratio: number }) =>
  Number.isInteger(width * mlp_ratio);
const hiddenNeed = { path: ["mlp_ratio"], error: "a ratio is needed that makes width times it whole" };

/** What OpenCLIP calls a model's architecture. Of its many kinds of tower, those that are as CLIP's. */
const OpenClipConfig = z.object({
  model_cfg: z.object({
    embed_dim: size,
    quick_gelu: z.boolean().default(false),
    vision_cfg: z.strictObject({
      image_size: size.default(224),
      patch_size: size.default(16),
      width: size.default(768),
      layers: size.default(12),
      head_width: size.default(64),
      heads: size.optional(),
      mlp_ratio: positive.default(4),
      // Versions of OpenCLIP differ in what they average, and whether before the last norm or behind it.
      global_average_pool: z.literal(false, "pooling at the class token is needed").default(false),
    }).refine(({ width, heads, head_width }) => isDivided(width, heads ?? width / head_width), {
      path: ["heads"],
      error: "a divisor of width is needed, by default width / head_width",
    }).refine(({ image_size, patch_size }) => isDivided(image_size, patch_size), {
      path: ["patch_size"],
      error: "a divisor of image_size is needed",
    }).refine(isHiddenWhole, hiddenNeed),
    text_cfg: z.strictObject({
      context_length: size.default(77),
      vocab_size: size.default(49408),
      width: size.default(512),
      heads: size.default(8),
      layers: size.default(12),
      mlp_ratio: positive.default(4),
    }).refine(({ width, heads }) => isDivided(width, heads), {
      path: ["heads"],
      error: "a divisor of width is needed",
    }).refine(isHiddenWhole, hiddenNeed),
  }),
});

const BUCKETS = "an even number from 4 is needed";
const T5Config = z.object({
  ...unpacked,
  model_type: z.literal("t5"),
  vocab_size: size,
  d_model: size,
  d_kv: size,
  d_ff: size,
  num_layers: size,
  num_decoder_layers: size.nullish(),
  num_heads: size,
  relative_attention_num_buckets: size.min(4, BUCKETS).multipleOf(2, BUCKETS).default(32),
  relative_attention_max_distance: size.default(128),
  n_positions: length.default(512),
  layer_norm_epsilon: positive.default(1e-6),
  feed_forward_proj: z.enum(["relu", "gated-gelu"]).default("relu"),
  tie_word_embeddings: z.boolean().default(true),
  decoder_start_token_id: token.default(0),
  pad_token_id: token.default(0),
}).refine(
  ({ decoder_start_token_id: start, vocab_size: tokens }) => start < tokens,
  { path: ["decoder_start_token_id"], error: "a number below vocab_size is needed" },
).refine(
  ({ pad_token_id: pad, vocab_size: tokens }) => pad < tokens,
  { path: ["pad_token_id"], error: "a number below vocab_size is needed" },
).refine(
  ({ relative_attention_max_distance: distance, relative_attention_num_buckets: buckets }) =>
    distance > buckets / 2,
  {
    path: ["relative_attention_max_distance"],
    error: "more than half of relative_attention_num_buckets is needed",
  },
);

/**
 * Sizes of a T5 checkpoint, v1.0 or v1.1. Its positions are relative, so its lengths are no more than what it was trained
 * on: 512 where the file does not say, and longer ones may be asked for.
 *
 * @throws {CheckpointError} for other families and for what our encoder-decoder does not have
 */
export function t5Config(json: unknown, name: string): EncoderDecoderConfig {
  const read = check(T5Config, json, name);
  return {
    vocabulary: read.vocab_size,
    width: read.d_model,
    encoderLayers: read.num_layers,
    decoderLayers: read.num_decoder_layers ?? read.num_layers,
    heads: read.num_heads,
    headSize: read.d_kv,
    hidden: read.d_ff,
    feedForward: read.feed_forward_proj,
    buckets: read.relative_attention_num_buckets,
    maxDistance: read.relative_attention_max_distance,
    inputLength: read.n_positions,
    targetLength: read.n_positions,
    normEpsilon: read.layer_norm_epsilon,
    tiedHead: read.tie_word_embeddings,
    startToken: read.decoder_start_token_id,
    paddingToken: read.pad_token_id,
  };
}

/** Both towers of CLIP. */
export interface ClipConfigs {
  /** The image tower. */
  readonly vision: VisionConfig;
  /** The text tower. */
  readonly text: ClipTextConfig;
}

/**
 * Sizes of a CLIP image tower with its projection, from the file of the tower alone or of both towers.
 *
 * @throws {CheckpointError} for other families
 */
export function clipVisionConfig(json: unknown, name: string): VisionConfig {
  if (typeOf(json) === "clip") return clipConfig(json, name).vision;
  return visionOf(check(ClipVisionConfig, json, name));
}

/** An image tower's `config.json`: what `clipVisionConfig` reads its sizes from. */
export function clipVisionJson(config: VisionConfig): unknown {
  return {
    architectures: ["CLIPVisionModelWithProjection"],
    model_type: "clip_vision_model",
    image_size: config.image,
    num_channels: config.channels,
    patch_size: config.patch,
    hidden_size: config.width,
    intermediate_size: config.hidden,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    projection_dim: config.outputs,
    hidden_act: config.activation === "gelu" ? "gelu" : "quick_gelu",
    layer_norm_eps: config.normEpsilon,
  };
}

/** Sizes of both towers of CLIP. @throws {CheckpointError} for other families */
export function clipConfig(json: unknown, name: string): ClipConfigs {
  const { projection_dim: outputs, text_config: text, vision_config: vision } = check(ClipConfig, json, name);
  return {
    vision: { ...visionOf(vision), outputs },
    text: {
      ...towerOf(text),
      vocabulary: text.vocab_size,
      length: text.max_position_embeddings,
      outputs,
      // Files from before 2023 say 2, which is no end token of CLIP's.
      endToken: text.eos_token_id === 2 ? null : text.eos_token_id,
    },
  };
}

/**
 * Sizes of both towers of an OpenCLIP checkpoint, from its `open_clip_config.json`.
 *
 * @throws {CheckpointError} for towers of other kinds than CLIP's
 */
export function openClipConfig(json: unknown, name: string): ClipConfigs {
  const { model_cfg: read } = check(OpenClipConfig, json, name);
  const { vision_cfg: vision, text_cfg: text, embed_dim: outputs } = read;
  const shared = { activation: read.quick_gelu ? "quick-gelu" : "gelu", normEpsilon: 1e-5, outputs } as const;
  return {
    vision: {
      ...shared,
      image: vision.image_size,
      channels: 3,
      patch: vision.patch_size,
      width: vision.width,
      layers: vision.layers,
      heads: vision.heads ?? vision.width / vision.head_width,
      hidden: vision.width * vision.mlp_ratio,
    },
    text: {
      ...shared,
      vocabulary: text.vocab_size,
      length: text.context_length,
      width: text.width,
      layers: text.layers,
      heads: text.heads,
      hidden: text.width * text.mlp_ratio,
      endToken: null,
    },
  };
}

/** What an OpenCLIP config says of its images, as a `preprocessor_config.json` would; undefined where it says nothing. */
export function openClipPreprocessing(json: unknown): unknown {
  const read = isRecord(json) ? json["preprocess_cfg"] : undefined;
  if (!isRecord(read)) return undefined;
  const { interpolation = "bicubic", resize_mode: mode = "shortest" } = read;
  return {
    image_mean: read["mean"],
    image_std: read["std"],
    // By Pillow's numbers. What is not known stays, and is refused by its value.
    resample: interpolation === "bicubic" ? 3 : interpolation === "bilinear" ? 2 : interpolation,
    image_processor_type: mode === "shortest"
      ? "CLIPImageProcessor"
      : mode === "squash"
      ? "SiglipImageProcessor"
      : mode,
  };
}

function visionOf(read: z.output<typeof ClipVisionConfig>): VisionConfig {
  return {
    ...towerOf(read),
    image: read.image_size,
    channels: read.num_channels,
    patch: read.patch_size,
    outputs: read.projection_dim,
  };
}

function towerOf(read: z.output<typeof ClipVisionConfig> | z.output<typeof ClipTextConfig>) {
  return {
    width: read.hidden_size,
    layers: read.num_hidden_layers,
    heads: read.num_attention_heads,
    hidden: read.intermediate_size,
    activation: read.hidden_act === "gelu" ? "gelu" : "quick-gelu",
    normEpsilon: read.layer_norm_eps,
  } as const;
}

/** What a folder is about, as its config says; of a graph model, its tensors. */
export type CheckpointConfig =
  | { readonly family: "decoder"; readonly config: DecoderConfig }
  | { readonly family: "text-classifier"; readonly config: TextClassifierConfig }
  | { readonly family: "image-classifier"; readonly config: ImageClassifierConfig }
  | { readonly family: "use-lite"; readonly config: UseLiteConfig }
  | { readonly family: "gpt2"; readonly config: Gpt2Config }
  | { readonly family: "encoder-decoder"; readonly config: EncoderDecoderConfig }
  | {
    readonly family: "vision";
    readonly config: VisionConfig;
    /** The text tower's sizes, where the config tells of one. */
    readonly text?: ClipTextConfig;
  };

/** Llama-like decoders by `model_type`. */
const DECODERS: Readonly<Record<string, (json: unknown, name: string) => DecoderConfig>> = {
  llama: llamaConfig,
  mistral: mistralConfig,
  qwen2: qwen2Config,
  qwen3: qwen3Config,
  gemma2: gemma2Config,
  gemma3_text: gemma3Config,
};

/**
 * Family and sizes of a checkpoint that a task's model can be built of; of a full CLIP, its image tower.
 *
 * @throws {CheckpointError} for families that are not built here, and for what ours don't have
 */
export function checkpointConfig(json: unknown, name: string): CheckpointConfig {
  const type = typeOf(json);
  const decoder = typeof type === "string" ? DECODERS[type] : undefined;
  if (decoder) return { family: "decoder", config: decoder(json, name) };
  switch (type) {
    case "bert":
      return { family: "text-classifier", config: bertConfig(json, name) };
    case "roberta":
      return { family: "text-classifier", config: robertaConfig(json, name) };
    case "distilbert":
      return { family: "text-classifier", config: distilBertConfig(json, name) };
    case "deberta-v2":
      return { family: "text-classifier", config: debertaV2Config(json, name) };
    case "vit":
      return { family: "image-classifier", config: vitConfig(json, name) };
    case "dinov2":
      return { family: "image-classifier", config: dinov2Config(json, name) };
    case "gpt2":
      return { family: "gpt2", config: gpt2Config(json, name) };
    case "t5":
      return { family: "encoder-decoder", config: t5Config(json, name) };
    case "clip": {
      const { vision, text } = clipConfig(json, name);
      return { family: "vision", config: vision, text };
    }
    case "clip_vision_model":
      return { family: "vision", config: clipVisionConfig(json, name) };
    default:
      throw new CheckpointError(
        `Cannot read model config "${name}": its model_type is ${
          type === undefined ? "missing" : show(type)
        }, ` +
          `known are ${
            [
              ...Object.keys(DECODERS),
              "gpt2",
              "t5",
              "clip",
              "clip_vision_model",
              "vit",
              "dinov2",
              "bert",
              "roberta",
              "distilbert",
              "deberta-v2",
            ].join(", ")
          }`,
      );
  }
}

function typeOf(json: unknown): unknown {
  return isRecord(json) ? json["model_type"] : undefined;
}
