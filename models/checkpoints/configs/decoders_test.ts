import { assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "../checkpoint.ts";
import { checkpointConfig } from "../hugging_face.ts";

/** Sizes that every file has. */
const SIZES = {
  vocab_size: 100,
  hidden_size: 48,
  intermediate_size: 64,
  num_hidden_layers: 4,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-6,
};
const FILES = {
  mistral: { ...SIZES, model_type: "mistral", hidden_act: "silu" },
  qwen2: { ...SIZES, model_type: "qwen2", hidden_act: "silu" },
  qwen3: { ...SIZES, model_type: "qwen3", hidden_act: "silu" },
  gemma2: { ...SIZES, model_type: "gemma2" },
  gemma3: { ...SIZES, model_type: "gemma3_text" },
};

function read(file: keyof typeof FILES, changes: object = {}) {
  const { family, config } = checkpointConfig({ ...FILES[file], ...changes }, "file");
  assertEquals(family, "decoder");
  return config as Extract<ReturnType<typeof checkpointConfig>, { family: "decoder" }>["config"];
}

Deno.test("checkpointConfig() gives each decoder the parts that its family has, with what its files leave out", () => {
  const sizes = {
    ...{ vocabulary: 100, width: 48, layers: 4, heads: 6, keyValueHeads: 2, hidden: 64 },
    ...{ length: 32, normEpsilon: 1e-6, ropeTheta: 10000 },
  };
  const untied = { tiedHead: false };
  assertEquals(read("mistral"), { ...sizes, ...untied, headSize: 8 });
  assertEquals(read("qwen2"), { ...sizes, ...untied, headSize: 8, biases: true });
  assertEquals(read("qwen3"), { ...sizes, ...untied, headSize: 128, headNorms: true });
  const gemma = {
    ...{ tiedHead: true, headSize: 256 },
    normsFromOne: true,
    outputNorms: true,
    activation: "gelu-tanh",
    ...{ embeddingScale: Math.fround(Math.sqrt(48)), scoreScale: 1 / 16 },
  } as const;
  assertEquals(read("gemma2"), { ...sizes, ...gemma, windows: [4096, null, 4096, null] });
  assertEquals(read("gemma3"), {
    ...{ ...sizes, ...gemma, ropeTheta: 1e6, windowRopeTheta: 10000, headNorms: true },
    windows: [4096, 4096, 4096, 4096],
  });
});

Deno.test("checkpointConfig() gives layers the windows that a file names, by number, rule or list", () => {
  const windows = (...given: Parameters<typeof read>) => read(...given).windows;
  assertEquals(windows("mistral", { sliding_window: 7 }), [7, 7, 7, 7]);
  assertEquals(windows("mistral", { sliding_window: null }), undefined);
  const qwen = { sliding_window: 9, max_window_layers: 3 };
  assertEquals(windows("qwen2", qwen), undefined);
  assertEquals(windows("qwen2", { ...qwen, use_sliding_window: true }), [null, null, null, 9]);
  const layer_types = ["full_attention", "sliding_attention", "full_attention", "full_attention"];
  for (const file of ["mistral", "qwen2", "qwen3", "gemma2", "gemma3"] as const) {
    assertEquals(windows(file, { ...qwen, layer_types }), [null, 9, null, null], file);
  }
  assertEquals(windows("gemma3", { sliding_window: 5, sliding_window_pattern: 2 }), [5, null, 5, null]);
  assertEquals(windows("gemma3", { sliding_window: 5, _sliding_window_pattern: 3 }), [5, 5, null, 5]);
});

Deno.test("checkpointConfig() reads Gemma's caps, and the positions of either kind of layer where files have them", () => {
  const capped = read("gemma2", { attn_logit_softcapping: 50, final_logit_softcapping: 30 });
  assertEquals([capped.scoreCap, capped.logitCap], [50, 30]);
  // This version has no cap of scores, whatever its files say.
  const third = read("gemma3", { attn_logit_softcapping: 50, final_logit_softcapping: 30 });
  assertEquals([third.scoreCap, third.logitCap], [undefined, 30]);
  const linear = { rope_type: "linear", factor: 8 };
  const older = read("gemma3", { rope_theta: 500, rope_local_base_freq: 20, rope_scaling: linear });
  assertEquals([older.ropeTheta, older.ropeDivisor, older.windowRopeTheta], [500, 8, 20]);
  const newer = {
    full_attention: { ...linear, rope_theta: 500 },
    sliding_attention: { rope_type: "default", rope_theta: 20 },
  };
  assertEquals(read("gemma3", { rope_parameters: newer }), older);
});

Deno.test("checkpointConfig() reads GPT-2's sizes, with those of its first files where they say nothing, and refuses others", () => {
  const gpt2 = (changes: object = {}) => checkpointConfig({ model_type: "gpt2", ...changes }, "file");
  assertEquals(gpt2({ n_head: 6, activation_function: "relu", n_inner: null }), {
    family: "gpt2",
    config: {
      ...{ vocabulary: 50257, width: 768, layers: 12, heads: 6, hidden: 3072, length: 1024 },
      ...{ normEpsilon: 1e-5, tiedHead: true },
      activation: "relu",
    },
  });
  for (
    const [changes, reason] of [
      [{ n_head: 7 }, "n_head is 7, a divisor of n_embd is needed"],
      [{ activation_function: "silu" }, 'activation_function is "silu", one of gelu, gelu_new'],
      [{ scale_attn_weights: false }, "scale_attn_weights is false, scores divided by"],
      [{ scale_attn_by_inverse_layer_idx: true }, "scale_attn_by_inverse_layer_idx is true"],
    ] as const
  ) {
    assertThrows(() => gpt2(changes), CheckpointError, `Cannot read model config "file": ${reason}`);
  }
});

Deno.test("checkpointConfig() refuses what our decoder does not have, by the field and its value", () => {
  for (
    const [file, changes, reason] of [
      ["mistral", { attention_bias: true }, "attention_bias is true, attention without biases (false)"],
      ["mistral", { sliding_window: 0 }, "sliding_window is 0, a whole number from 1 is needed"],
      ["mistral", { hidden_act: "gelu" }, 'hidden_act is "gelu", "silu" is needed'],
      ["qwen2", { layer_types: ["full_attention"] }, "layer_types is "],
      ["qwen2", { layer_types: ["a", "b", "c", "d"] }, 'layer_types.0 is "a"'],
      ["qwen2", { layer_types: Array(4).fill("sliding_attention") }, "sliding_window is missing, a window"],
      ["qwen2", { rope_scaling: { rope_type: "yarn", factor: 4 } }, 'rope_scaling.rope_type is "yarn"'],
      ["qwen3", { head_dim: 7 }, "head_dim is 7, an even width of heads"],
      ["qwen3", { quantization_config: {} }, "quantization_config is "],
      ["gemma2", { hidden_activation: "silu" }, 'hidden_activation is "silu", "gelu_pytorch_tanh" is needed'],
      ["gemma2", { tie_word_embeddings: false }, "tie_word_embeddings is false, an output layer that is the"],
      ["gemma2", { attn_logit_softcapping: 0 }, "attn_logit_softcapping is 0, a number above 0"],
      ["gemma3", { use_bidirectional_attention: true }, "use_bidirectional_attention is true, attention to"],
      [
        "gemma3",
        {
          rope_parameters: {
            full_attention: { rope_type: "default" },
            sliding_attention: { rope_type: "linear", factor: 2 },
          },
        },
        'rope_parameters.sliding_attention.rope_type is "linear", "default" is needed',
      ],
    ] as const
  ) {
    assertThrows(() => read(file, changes), CheckpointError, `Cannot read model config "file": ${reason}`);
  }
});
