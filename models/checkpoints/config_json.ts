/** @file `config.json` of the project's own models, as Hugging Face's classes read it. */
import type { DecoderConfig } from "../decoder.ts";
import type { EncoderDecoderConfig } from "../encoder_decoder.ts";
import type { ModelEntry } from "../entry.ts";
import { clipVisionJson } from "./hugging_face.ts";

/** What `readModelFolder` reads the model's sizes from; null for models whose sizes are not known. */
export function configJson({ vision, decoder, encoderDecoder }: ModelEntry): unknown {
  if (vision) return clipVisionJson(vision);
  if (decoder) return llamaJson(decoder);
  return encoderDecoder ? t5Json(encoderDecoder) : null;
}

function llamaJson(config: DecoderConfig): unknown {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: config.vocabulary,
    hidden_size: config.width,
    intermediate_size: config.hidden,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headSize,
    max_position_embeddings: config.length,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeTheta,
    ...config.ropeScaling && {
      rope_scaling: {
        rope_type: "llama3",
        factor: config.ropeScaling.factor,
        low_freq_factor: config.ropeScaling.lowFrequencyFactor,
        high_freq_factor: config.ropeScaling.highFrequencyFactor,
        original_max_position_embeddings: config.ropeScaling.originalLength,
      },
    },
    tie_word_embeddings: config.tiedHead,
    hidden_act: "silu",
    attention_bias: false,
    mlp_bias: false,
  };
}

function t5Json(config: EncoderDecoderConfig): unknown {
  return {
    architectures: ["T5ForConditionalGeneration"],
    model_type: "t5",
    vocab_size: config.vocabulary,
    d_model: config.width,
    d_kv: config.headSize,
    d_ff: config.hidden,
    num_layers: config.encoderLayers,
    num_decoder_layers: config.decoderLayers,
    num_heads: config.heads,
    relative_attention_num_buckets: config.buckets,
    relative_attention_max_distance: config.maxDistance,
    n_positions: Math.max(config.inputLength, config.targetLength),
    layer_norm_epsilon: config.normEpsilon,
    feed_forward_proj: config.feedForward,
    tie_word_embeddings: config.tiedHead,
    decoder_start_token_id: config.startToken,
    pad_token_id: config.paddingToken,
    is_encoder_decoder: true,
  };
}
