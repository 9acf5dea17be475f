import { assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "./checkpoint.ts";
import {
  checkpointConfig,
  clipConfig,
  clipVisionConfig,
  llamaConfig,
  openClipConfig,
  t5Config,
} from "./hugging_face.ts";
import * as models from "../mod.ts";
import { visionParameters } from "../vision.ts";

/** The fields that T5 files always have; the numbers are google-t5/t5-base's. */
const LEAST = {
  model_type: "t5",
  vocab_size: 32128,
  d_model: 768,
  d_kv: 64,
  d_ff: 3072,
  num_layers: 12,
  num_heads: 12,
};

Deno.test("t5Config() fills in what old files leave out: v1.0, tied, as many layers on either side", () => {
  assertEquals(t5Config(LEAST, "t5-base"), {
    vocabulary: 32128,
    width: 768,
    encoderLayers: 12,
    decoderLayers: 12,
    heads: 12,
    headSize: 64,
    hidden: 3072,
    feedForward: "relu",
    buckets: 32,
    maxDistance: 128,
    inputLength: 512,
    targetLength: 512,
    normEpsilon: 1e-6,
    tiedHead: true,
    startToken: 0,
    paddingToken: 0,
  });
});

Deno.test("t5Config() reads what files say: v1.1, other depths, other positions, whether or not is_gated_act is there", () => {
  const given = {
    ...LEAST,
    num_decoder_layers: 3,
    feed_forward_proj: "gated-gelu",
    tie_word_embeddings: false,
    relative_attention_num_buckets: 8,
    relative_attention_max_distance: 20,
    n_positions: 100,
    layer_norm_epsilon: 1e-5,
    decoder_start_token_id: 7,
    pad_token_id: 1,
  };
  const config = t5Config(given, "v1.1");
  assertEquals(config, {
    ...t5Config(LEAST, "t5-base"),
    decoderLayers: 3,
    feedForward: "gated-gelu",
    tiedHead: false,
    buckets: 8,
    maxDistance: 20,
    inputLength: 100,
    targetLength: 100,
    normEpsilon: 1e-5,
    startToken: 7,
    paddingToken: 1,
  });
  assertEquals(t5Config({ ...given, is_gated_act: true }, "v1.1"), config);
});

Deno.test("t5Config() refuses other families, and what the encoder-decoder does not have, by the field", () => {
  for (
    const [changes, field] of [
      [{ model_type: "bart" }, "model_type"],
      [{ feed_forward_proj: "gated-silu" }, "feed_forward_proj"],
      [{ d_kv: 0 }, "d_kv"],
      [{ num_heads: 1.5 }, "num_heads"],
      [{ vocab_size: undefined }, "vocab_size"],
      [{ relative_attention_num_buckets: 7 }, "relative_attention_num_buckets"],
      [{ relative_attention_num_buckets: 2 }, "relative_attention_num_buckets"],
      [{ relative_attention_max_distance: 16 }, "relative_attention_max_distance"],
      [{ layer_norm_epsilon: 0 }, "layer_norm_epsilon"],
      [{ decoder_start_token_id: -1 }, "decoder_start_token_id"],
    ] as const
  ) {
    assertThrows(
      () => t5Config({ ...LEAST, ...changes }, "file"),
      CheckpointError,
      `Cannot read model config "file": ${field} is `,
    );
  }
  assertThrows(() => t5Config("text", "file"), CheckpointError, 'Cannot read model config "file"');
});

const VIT = {
  model_type: "clip_vision_model",
  image_size: 224,
  patch_size: 16,
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  projection_dim: 512,
};

Deno.test("clipConfig() fills in what files leave out, takes the projection of the whole, and finds the old end token", () => {
  const { text, vision } = clipConfig({ model_type: "clip", projection_dim: 640 }, "file");
  // ViT-B/32, the first that was published.
  assertEquals(vision, {
    image: 224,
    channels: 3,
    patch: 32,
    width: 768,
    layers: 12,
    heads: 12,
    hidden: 3072,
    outputs: 640,
    activation: "quick-gelu",
    normEpsilon: 1e-5,
  });
  assertEquals(text, {
    vocabulary: 49408,
    length: 77,
    width: 512,
    layers: 12,
    heads: 8,
    hidden: 2048,
    outputs: 640,
    activation: "quick-gelu",
    normEpsilon: 1e-5,
    endToken: 49407,
  });
  const own = clipConfig({
    model_type: "clip",
    text_config: { model_type: "clip_text_model", eos_token_id: 2, hidden_act: "gelu" },
    vision_config: { ...VIT, hidden_act: "gelu" },
  }, "file");
  assertEquals([own.text.endToken, own.text.activation, own.vision.activation], [null, "gelu", "gelu"]);
  assertEquals(visionParameters(own.vision), models.clipVitB16.parameters);
  assertEquals(
    clipVisionConfig({ model_type: "clip", vision_config: VIT }, "file"),
    clipVisionConfig(VIT, "file"),
  );
});

Deno.test("clipConfig() and clipVisionConfig() refuse what the towers do not have, by the field", () => {
  for (
    const [changes, field] of [
      [{ hidden_act: "relu" }, "hidden_act"],
      [{ num_attention_heads: 7 }, "num_attention_heads"],
      [{ patch_size: 15 }, "patch_size"],
      [{ hidden_size: 0 }, "hidden_size"],
      [{ layer_norm_eps: -1 }, "layer_norm_eps"],
      [{ model_type: "siglip_vision_model" }, "model_type"],
    ] as const
  ) {
    const json = { ...VIT, ...changes };
    assertThrows(() => clipVisionConfig(json, "file"), CheckpointError, `config "file": ${field} is `);
    assertThrows(
      () => clipConfig({ model_type: "clip", vision_config: json }, "file"),
      CheckpointError,
      `config "file": vision_config.${field} is `,
    );
  }
  assertThrows(
    () => clipConfig({ model_type: "clip", text_config: { num_attention_heads: 7 } }, "file"),
    CheckpointError,
    "text_config.num_attention_heads is 7, a divisor of hidden_size is needed",
  );
  assertThrows(
    () => clipConfig({ model_type: "clip", text_config: 3 }, "file"),
    CheckpointError,
    "text_config is 3, a value of type object is needed",
  );
});

Deno.test("openClipConfig() reads OpenCLIP's own sizes, and refuses towers that are not as CLIP's", () => {
  // ViT-S-16 as OpenCLIP lists it.
  const small = {
    embed_dim: 384,
    vision_cfg: { image_size: 224, layers: 12, width: 384, patch_size: 16 },
    text_cfg: { context_length: 77, vocab_size: 49408, width: 384, heads: 6, layers: 12 },
  };
  const { text, vision } = openClipConfig({ model_cfg: small }, "ViT-S-16");
  assertEquals(visionParameters(vision), models.vitSmall.parameters);
  assertEquals([vision.heads, vision.activation, text.hidden, text.endToken], [6, "gelu", 1536, null]);
  const quick = openClipConfig({ model_cfg: { ...small, quick_gelu: true } }, "ViT-S-16");
  assertEquals([quick.vision.activation, quick.text.activation], ["quick-gelu", "quick-gelu"]);
  for (
    const [changes, reason] of [
      [{ global_average_pool: true }, "global_average_pool is true, pooling at the class token is needed"],
      [{ timm_model_name: "vit" }, "timm_model_name"],
      [{ ls_init_value: 0.1 }, "ls_init_value"],
    ] as const
  ) {
    const vision_cfg = { ...small.vision_cfg, ...changes };
    assertThrows(
      () => openClipConfig({ model_cfg: { ...small, vision_cfg } }, "file"),
      CheckpointError,
      reason,
    );
  }
  const text_cfg = { ...small.text_cfg, hf_model_name: "roberta-base" };
  assertThrows(
    () => openClipConfig({ model_cfg: { ...small, text_cfg } }, "file"),
    CheckpointError,
    "hf_model_name",
  );
});

const LLAMA = {
  model_type: "llama",
  vocab_size: 100,
  hidden_size: 48,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 6,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-6,
  hidden_act: "silu",
};

Deno.test("llamaConfig() reads rotary positions where older and newer files have them, and refuses other kinds", () => {
  const scaled = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 16,
  };
  const plain = llamaConfig(LLAMA, "file");
  assertEquals([plain.ropeTheta, plain.ropeScaling, plain.headSize], [10000, undefined, 8]);
  const older = llamaConfig({ ...LLAMA, rope_theta: 500000, rope_scaling: scaled }, "file");
  const newer = llamaConfig({ ...LLAMA, rope_parameters: { ...scaled, rope_theta: 500000 } }, "file");
  assertEquals(newer, older);
  assertEquals(older.ropeScaling!.factor, 8);
  assertEquals(
    llamaConfig({ ...LLAMA, rope_parameters: { rope_type: "default", rope_theta: 10000 } }, "file"),
    plain,
  );
  for (
    const [changes, field] of [
      [{ rope_scaling: { type: "linear", factor: 2 } }, "rope_scaling.rope_type"],
      [{ rope_parameters: { rope_type: "yarn", factor: 2 } }, "rope_parameters.rope_type"],
      [{ num_key_value_heads: 4 }, "num_key_value_heads"],
      [{ num_attention_heads: 16 }, "head_dim"],
      [{ num_attention_heads: 5 }, "head_dim"],
      [{ head_dim: 7 }, "head_dim"],
      [{ attention_bias: true }, "attention_bias"],
      [{ mlp_bias: true }, "mlp_bias"],
      [{ hidden_act: "gelu" }, "hidden_act"],
    ] as const
  ) {
    assertThrows(
      () => llamaConfig({ ...LLAMA, ...changes }, "file"),
      CheckpointError,
      `config "file": ${field} is `,
    );
  }
});

Deno.test("checkpointConfig() tells families apart by model_type", () => {
  const family = (json: unknown) => checkpointConfig(json, "file").family;
  assertEquals([LLAMA, LEAST, VIT, { model_type: "clip" }].map(family), [
    "decoder",
    "encoder-decoder",
    "vision",
    "vision",
  ]);
  for (const json of [{ model_type: "mamba" }, {}, null, [], "llama", 3]) {
    assertThrows(() => family(json), CheckpointError, "known are llama, ");
  }
});
