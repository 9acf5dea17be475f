import { assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "./checkpoint.ts";
import { t5Config } from "./hugging_face.ts";

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
      `Cannot read model config "file": ${field}: `,
    );
  }
  assertThrows(() => t5Config("text", "file"), CheckpointError, 'Cannot read model config "file"');
});
