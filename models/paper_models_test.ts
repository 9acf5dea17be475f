/** @file The papers' sizes, which no test could hold: built, run and trained on a dry-run GPU, which allocates nothing. */
import { assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import { differentiate } from "../training/loop/differentiate.ts";
import { plainForward } from "../training/loop/forward.ts";
import { dryRunGpu, zeroWeights } from "../tests/support/dry_run_gpu.ts";
import { countParameters } from "./architecture.ts";
import { clipTextParameters } from "./clip_text.ts";
import { decoderParameters } from "./decoder.ts";
import { clipConfig, llamaConfig } from "./checkpoints/hugging_face.ts";
import * as models from "./mod.ts";
import type { Batch } from "./model.ts";
import type { ModelEntry } from "./entry.ts";
import { visionParameters } from "./vision.ts";

/** Totals as published: of T5, Llama and the sentence encoder by their checkpoints, of CLIP's towers by OpenCLIP's profiles, in millions. */
const PUBLISHED: Readonly<Record<string, number>> = {
  "decoder-small": 41_689_600,
  "llama-2-7b": 6_738_415_616,
  "llama-3-1-8b": 8_030_261_248,
  "llama-3-2-1b": 1_235_814_400,
  "t5-small": 60_506_624,
  "t5-base": 222_903_552,
  "t5-v1-1-base": 247_577_856,
  "vit-small": 21_813_504,
  "clip-vit-b-16": 86_192_640,
  "use-lite": 6_975_744,
};
const real = (Object.values(models) as ModelEntry[]).filter(({ id }) => id in PUBLISHED);

/** Two short texts, or two images. */
function batchFor({ family, inputSize }: ModelEntry): Batch {
  const tokens = { data: new Int32Array(2 * 5), shape: [2, 5] };
  switch (family) {
    case "decoder":
      return { family, tokens, targets: tokens };
    case "encoder-decoder":
      return {
        family,
        inputs: tokens,
        inputMask: { data: new Uint32Array(10).fill(1), shape: [2, 5] },
        targets: tokens,
      };
    case "encoder":
      return {
        family,
        tokens,
        mask: { data: new Uint32Array(10).fill(1), shape: [2, 5] },
        targets: { data: new Int32Array(2), shape: [2] },
      };
    case "vision": {
      const shape = [2, 3, inputSize, inputSize];
      const pixels = { data: new Float32Array(2 * 3 * inputSize ** 2), shape };
      return { family, pixels, targets: { data: new Int32Array(2), shape: [2] } };
    }
  }
}

Deno.test("Registered models that are too large for tests have the parameters that were published", () => {
  const large = (Object.values(models) as ModelEntry[]).filter(({ architecture }) =>
    architecture.parameters > 1e6
  );
  assertEquals(
    Object.fromEntries(large.map(({ id, parameters }) => [id, countParameters(parameters)])),
    PUBLISHED,
  );
});

for (const entry of real) {
  Deno.test(`${entry.id}: built, run and differentiated in its full size, in shapes alone`, async () => {
    await using gpu = dryRunGpu();
    using _ = gpu.scope("model");
    const model = entry.create(gpu, zeroWeights);
    assertEquals(model.parameters.map(({ name, value }) => ({ name, shape: value.shape })), [
      ...entry.parameters,
    ]);
    assertEquals(model.targetModules.map(({ name, in: inputs, out }) => ({ name, in: inputs, out })), [
      ...entry.targetModules(),
    ]);
    const bytes = 4 * PUBLISHED[entry.id]!;
    // Constants, what aligns the starts of tensors, and what the pool rounds up: less than an eighth.
    assertGreaterOrEqual(gpu.memory.liveBytes, bytes);
    assertLess(gpu.memory.liveBytes, 1.13 * bytes);
    const batch = batchFor(entry), store = createGradients(gpu, model.parameters);
    const { value } = model.logits(plainForward(new Tape(gpu, createGradients(gpu, []))), batch);
    assertEquals(value.shape, [batch.targets.data.length, entry.outputs]);
    const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
    differentiate(gpu, model, batch, store, { parts: 1, seed, forward: plainForward });
    for (const parameter of model.parameters) assertEquals(store.of(parameter).shape, parameter.value.shape);
  });
}

Deno.test("CLIP-ViT-B/16 has the parameters that OpenAI's checkpoint has, by tower", () => {
  const { text, vision } = clipConfig({
    model_type: "clip",
    projection_dim: 512,
    text_config: {},
    vision_config: { patch_size: 16 },
  }, "openai/clip-vit-base-patch16");
  assertEquals(visionParameters(vision), models.clipVitB16.parameters);
  assertEquals(countParameters(clipTextParameters(text)), 63_428_096);
  const scale = 1, projection = 512 * 768;
  assertEquals(countParameters(visionParameters(vision)) - projection, 85_799_424);
  assertEquals(
    countParameters(visionParameters(vision)) + countParameters(clipTextParameters(text)) + scale,
    149_620_737,
  );
});

Deno.test("llamaConfig() of Llama-2-7B's own config is the registered size", () => {
  const json = {
    architectures: ["LlamaForCausalLM"],
    bos_token_id: 1,
    eos_token_id: 2,
    hidden_act: "silu",
    hidden_size: 4096,
    initializer_range: 0.02,
    intermediate_size: 11008,
    max_position_embeddings: 4096,
    model_type: "llama",
    num_attention_heads: 32,
    num_hidden_layers: 32,
    num_key_value_heads: 32,
    pretraining_tp: 1,
    rms_norm_eps: 1e-05,
    rope_scaling: null,
    tie_word_embeddings: false,
    torch_dtype: "float16",
    use_cache: true,
    vocab_size: 32000,
  };
  const config = llamaConfig(json, "meta-llama/Llama-2-7b-hf");
  assertEquals(decoderParameters(config), models.llama2.parameters);
  const { length, headSize, ropeTheta, normEpsilon } = config;
  assertEquals([length, headSize, ropeTheta, normEpsilon], [models.llama2.inputSize, 128, 10000, 1e-5]);
});
