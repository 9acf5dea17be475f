/** @file Reads the `config.json` of Hugging Face checkpoints. Their weights have the names that our models use. */
import { z } from "zod";
import { CheckpointError } from "./checkpoint.ts";
import type { DecoderConfig } from "./decoder.ts";
import type { EncoderDecoderConfig } from "./encoder_decoder.ts";
import type { VisionConfig } from "./vision.ts";

const size = z.int().min(1);
const LlamaConfig = z.object({
  model_type: z.literal("llama"),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.optional(),
  head_dim: size.nullish(),
  max_position_embeddings: size,
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive().default(10000),
  rope_scaling: z.object({
    rope_type: z.literal("llama3"),
    factor: z.number().positive(),
    low_freq_factor: z.number().positive(),
    high_freq_factor: z.number().positive(),
    original_max_position_embeddings: size,
  }).nullish(),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.literal("silu"),
  attention_bias: z.literal(false).default(false),
  mlp_bias: z.literal(false).default(false),
});

const ClipVisionConfig = z.object({
  model_type: z.literal("clip_vision_model"),
  image_size: size,
  num_channels: size.default(3),
  patch_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  projection_dim: size,
  hidden_act: z.enum(["gelu", "quick_gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
});

const T5Config = z.object({
  model_type: z.literal("t5"),
  vocab_size: size,
  d_model: size,
  d_kv: size,
  d_ff: size,
  num_layers: size,
  num_decoder_layers: size.nullish(),
  num_heads: size,
  relative_attention_num_buckets: size.min(4).multipleOf(2).default(32),
  relative_attention_max_distance: size.default(128),
  n_positions: size.default(512),
  layer_norm_epsilon: z.number().positive().default(1e-6),
  feed_forward_proj: z.enum(["relu", "gated-gelu"]).default("relu"),
  tie_word_embeddings: z.boolean().default(true),
  decoder_start_token_id: z.int().min(0).default(0),
  pad_token_id: z.int().min(0).default(0),
}).refine(
  ({ relative_attention_max_distance: distance, relative_attention_num_buckets: buckets }) =>
    distance > buckets / 2,
  {
    path: ["relative_attention_max_distance"],
    error: "more than half of relative_attention_num_buckets is needed",
  },
);

/** Sizes of a Llama checkpoint. @throws {CheckpointError} for other families and for what our decoder does not have */
export function llamaConfig(json: unknown, name: string): DecoderConfig {
  const read = check(LlamaConfig, json, name);
  const scaling = read.rope_scaling;
  return {
    vocabulary: read.vocab_size,
    width: read.hidden_size,
    layers: read.num_hidden_layers,
    heads: read.num_attention_heads,
    keyValueHeads: read.num_key_value_heads ?? read.num_attention_heads,
    headSize: read.head_dim ?? read.hidden_size / read.num_attention_heads,
    hidden: read.intermediate_size,
    length: read.max_position_embeddings,
    normEpsilon: read.rms_norm_eps,
    ropeTheta: read.rope_theta,
    tiedHead: read.tie_word_embeddings,
    ...scaling
      ? {
        ropeScaling: {
          factor: scaling.factor,
          lowFrequencyFactor: scaling.low_freq_factor,
          highFrequencyFactor: scaling.high_freq_factor,
          originalLength: scaling.original_max_position_embeddings,
        },
      }
      : {},
  };
}

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

/** Sizes of a CLIP image tower with its projection. @throws {CheckpointError} for other families */
export function clipVisionConfig(json: unknown, name: string): VisionConfig {
  const read = check(ClipVisionConfig, json, name);
  return {
    image: read.image_size,
    channels: read.num_channels,
    patch: read.patch_size,
    width: read.hidden_size,
    layers: read.num_hidden_layers,
    heads: read.num_attention_heads,
    hidden: read.intermediate_size,
    outputs: read.projection_dim,
    activation: read.hidden_act === "gelu" ? "gelu" : "quick-gelu",
    normEpsilon: read.layer_norm_eps,
  };
}

function check<S extends z.ZodType>(schema: S, json: unknown, name: string): z.output<S> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CheckpointError(
    `Cannot read model config "${name}": ${issue!.path.join(".")}: ${issue!.message}`,
  );
}
