import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { drawsOf, mutateBytes, mutateJson } from "../../tests/support/mutate.ts";
import { SMALL, smallWeights, writeSmall } from "../../tests/support/small_folders.ts";
import { PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";
import { baseWeights } from "../base_weights.ts";
import { CheckpointError } from "./checkpoint.ts";
import { encodeSafetensors, type WritableTensor, writeSafetensors } from "./write_safetensors.ts";
import { fingerprintModel, readModelFolder } from "./model_folder.ts";

/** Of `model_type`, in errors. */
const KNOWN =
  "known are llama, mistral, qwen2, qwen3, gemma2, gemma3_text, gpt2, t5, clip, clip_vision_model, vit, dinov2, bert, roberta, distilbert, deberta-v2";
const test = testNeeding(PROGRAMS);

/** The sentence by which a folder is refused, with DIR for its path. */
async function refusal(folder: string): Promise<string> {
  const { message } = await assertRejects(() => readModelFolder(folder, "mine"), CheckpointError);
  return message.replaceAll(folder, "DIR");
}

test("readModelFolder() refuses by field, value and need what no checkpoint of the family has, before anything is built", async () => {
  const scaled = (low: unknown, high: unknown) => ({
    rope_scaling: {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: low,
      high_freq_factor: high,
      original_max_position_embeddings: 8,
    },
  });
  const tower = (fields: object) => ({ vision_config: { ...SMALL.clip.config.vision_config, ...fields } });
  const reader = (fields: object) => ({ text_config: { ...SMALL.clip.config.text_config, ...fields } });
  const cases: [keyof typeof SMALL, object, string][] = [
    [
      "llama",
      { num_hidden_layers: 1e9 },
      'it has 1000000000 layers, but "DIR/model.safetensors" has 21 tensors in all',
    ],
    [
      "llama",
      { num_hidden_layers: 22 },
      'it has 22 layers, but "DIR/model.safetensors" has 21 tensors in all',
    ],
    ["llama", { num_hidden_layers: -1 }, "num_hidden_layers is -1, a whole number from 1 is needed"],
    ["llama", { num_hidden_layers: 1.5 }, "num_hidden_layers is 1.5, a whole number from 1 is needed"],
    ["llama", { num_hidden_layers: "2" }, 'num_hidden_layers is "2", a whole number from 1 is needed'],
    ["llama", { num_hidden_layers: null }, "num_hidden_layers is null, a whole number from 1 is needed"],
    [
      "llama",
      { num_hidden_layers: undefined },
      "num_hidden_layers is missing, a whole number from 1 is needed",
    ],
    ["llama", { num_hidden_layers: 1e300 }, "num_hidden_layers is 1e+300, a whole number from 1 is needed"],
    ["llama", { hidden_size: [8] }, "hidden_size is [8], a whole number from 1 is needed"],
    ["llama", { vocab_size: 0 }, "vocab_size is 0, a whole number from 1 is needed"],
    ["llama", { rms_norm_eps: 0 }, "rms_norm_eps is 0, a number above 0 is needed"],
    ["llama", { rms_norm_eps: "1e-5" }, 'rms_norm_eps is "1e-5", a number above 0 is needed'],
    [
      "llama",
      { max_position_embeddings: 1e9 },
      "max_position_embeddings is 1000000000, 1048576 at most are needed",
    ],
    [
      "llama",
      { num_attention_heads: 3 },
      "head_dim is missing, an even width of heads is needed, by default hidden_size / num_attention_heads",
    ],
    [
      "llama",
      { num_key_value_heads: 3 },
      "num_key_value_heads is 3, a divisor of num_attention_heads is needed",
    ],
    ["llama", { attention_bias: true }, "attention_bias is true, attention without biases (false) is needed"],
    [
      "llama",
      { partial_rotary_factor: 0.5 },
      "partial_rotary_factor is 0.5, rotary positions on whole heads (1) are needed",
    ],
    ["llama", { mlp_bias: true }, "mlp_bias is true, a feed-forward part without biases (false) is needed"],
    ["llama", { hidden_act: "gelu" }, 'hidden_act is "gelu", "silu" is needed'],
    ["llama", { tie_word_embeddings: 1 }, "tie_word_embeddings is 1, a value of type boolean is needed"],
    [
      "llama",
      { rope_scaling: "linear" },
      'rope_scaling is "linear", an object whose rope_type is "default", "linear" or "llama3" is needed',
    ],
    [
      "llama",
      { rope_scaling: { rope_type: "yarn", factor: 4 } },
      'rope_scaling.rope_type is "yarn", an object whose rope_type is "default", "linear" or "llama3" is needed',
    ],
    ["llama", scaled(1, 1), "rope_scaling.high_freq_factor is 1, more than low_freq_factor is needed"],
    ["llama", scaled(null, 4), "rope_scaling.low_freq_factor is null, a number above 0 is needed"],
    [
      "llama",
      { quantization_config: { quant_method: "gptq", bits: 4 } },
      'quantization_config is {"quant_method":"gptq","bits":4}, weights that are not quantized are needed',
    ],
    [
      "llama",
      { model_type: "mamba" },
      `its model_type is "mamba", ${KNOWN}`,
    ],
    [
      "llama",
      { model_type: undefined },
      `its model_type is missing, ${KNOWN}`,
    ],
    [
      "llama",
      JSON.parse('{"__proto__": {"num_hidden_layers": 1}, "num_hidden_layers": 1e9}'),
      'it has 1000000000 layers, but "DIR/model.safetensors" has 21 tensors in all',
    ],
    [
      "t5",
      { num_layers: 1e9 },
      'it has 1000000000 layers, but "DIR/model.safetensors" has 26 tensors in all',
    ],
    [
      "t5",
      { num_decoder_layers: 1e9 },
      'it has 1000000000 layers, but "DIR/model.safetensors" has 26 tensors in all',
    ],
    ["t5", { num_heads: 1.5 }, "num_heads is 1.5, a whole number from 1 is needed"],
    [
      "t5",
      { relative_attention_num_buckets: 7 },
      "relative_attention_num_buckets is 7, an even number from 4 is needed",
    ],
    [
      "t5",
      { relative_attention_max_distance: 3 },
      "relative_attention_max_distance is 3, more than half of relative_attention_num_buckets is needed",
    ],
    ["t5", { n_positions: 1e9 }, "n_positions is 1000000000, 1048576 at most are needed"],
    [
      "t5",
      { decoder_start_token_id: 12 },
      "decoder_start_token_id is 12, a number below vocab_size is needed",
    ],
    ["t5", { pad_token_id: 12 }, "pad_token_id is 12, a number below vocab_size is needed"],
    ["t5", { pad_token_id: -1 }, "pad_token_id is -1, a token's number from 0 is needed"],
    [
      "t5",
      { feed_forward_proj: "gated-silu" },
      'feed_forward_proj is "gated-silu", one of "relu", "gated-gelu" is needed',
    ],
    [
      "t5",
      { quantization_config: {} },
      "quantization_config is {}, weights that are not quantized are needed",
    ],
    [
      "vision",
      { num_hidden_layers: 1e9 },
      'it has 1000000000 layers, but "DIR/model.safetensors" has 24 tensors in all',
    ],
    ["vision", { num_attention_heads: 5 }, "num_attention_heads is 5, a divisor of hidden_size is needed"],
    ["vision", { patch_size: 3 }, "patch_size is 3, a divisor of image_size is needed"],
    ["vision", { hidden_act: null }, 'hidden_act is null, one of "gelu", "quick_gelu" is needed'],
    [
      "vision",
      { quantization_config: "nf4" },
      'quantization_config is "nf4", weights that are not quantized are needed',
    ],
    [
      "clip",
      tower({ num_hidden_layers: 1e9 }),
      'it has 1000000000 layers, but "DIR/model.safetensors" has 46 tensors in all',
    ],
    [
      "clip",
      reader({ num_hidden_layers: 1e9 }),
      'it has 1000000000 layers, but "DIR/model.safetensors" has 46 tensors in all',
    ],
    ["clip", reader({ vocab_size: -5 }), "text_config.vocab_size is -5, a whole number from 1 is needed"],
    [
      "clip",
      reader({ num_attention_heads: 7 }),
      "text_config.num_attention_heads is 7, a divisor of hidden_size is needed",
    ],
    ["clip", { text_config: [] }, "text_config is [], a value of type object is needed"],
    ["clip", { vision_config: null }, "vision_config is null, a value of type object is needed"],
  ];
  await withDataFolder({}, async (folder) => {
    for (const [family, changes, sentence] of cases) {
      const { config, parameters } = SMALL[family];
      await writeSmall(folder, { ...config, ...changes }, smallWeights(parameters));
      const found = await refusal(folder);
      assertEquals(found, `Cannot read model config "DIR/config.json": ${sentence}`);
    }
  });
});

test("readModelFolder() refuses an OpenCLIP config likewise", async () => {
  const config = {
    embed_dim: 6,
    vision_cfg: { image_size: 8, patch_size: 4, width: 8, layers: 1, head_width: 4 },
    text_cfg: { context_length: 8, vocab_size: 12, width: 8, heads: 2, layers: 1 },
  };
  const tower = (fields: object) => ({ vision_cfg: { ...config.vision_cfg, ...fields } });
  const reader = (fields: object) => ({ text_cfg: { ...config.text_cfg, ...fields } });
  const cases: [object, string][] = [
    [
      tower({ layers: 1e9 }),
      'it has 1000000000 layers, but "DIR/open_clip_model.safetensors" has 1 tensors in all',
    ],
    [
      reader({ layers: 1e9 }),
      'it has 1000000000 layers, but "DIR/open_clip_model.safetensors" has 1 tensors in all',
    ],
    [
      tower({ head_width: 3 }),
      "model_cfg.vision_cfg.heads is missing, a divisor of width is needed, by default width / head_width",
    ],
    [
      tower({ heads: 3 }),
      "model_cfg.vision_cfg.heads is 3, a divisor of width is needed, by default width / head_width",
    ],
    [tower({ patch_size: 3 }), "model_cfg.vision_cfg.patch_size is 3, a divisor of image_size is needed"],
    [
      tower({ mlp_ratio: 1.3 }),
      "model_cfg.vision_cfg.mlp_ratio is 1.3, a ratio is needed that makes width times it whole",
    ],
    [
      tower({ ls_init_value: 1e-5 }),
      'model_cfg.vision_cfg has the field "ls_init_value", which is not known here',
    ],
    [reader({ heads: 3 }), "model_cfg.text_cfg.heads is 3, a divisor of width is needed"],
    [reader({ mlp_ratio: -1 }), "model_cfg.text_cfg.mlp_ratio is -1, a number above 0 is needed"],
    [
      reader({ hf_model_name: "x" }),
      'model_cfg.text_cfg has the field "hf_model_name", which is not known here',
    ],
    [{ embed_dim: "6" }, 'model_cfg.embed_dim is "6", a whole number from 1 is needed'],
  ];
  const weights = encodeSafetensors(new Map([["logit_scale", { shape: [], data: Float32Array.of(1) }]]));
  await withDataFolder({ "open_clip_model.safetensors": weights }, async (folder) => {
    for (const [changes, sentence] of cases) {
      await Deno.writeTextFile(
        `${folder}/open_clip_config.json`,
        JSON.stringify({ model_cfg: { ...config, ...changes } }),
      );
      const found = await refusal(folder);
      assertEquals(found, `Cannot read model config "DIR/open_clip_config.json": ${sentence}`);
    }
  });
});
test("readModelFolder() refuses tensors that the model has no place for, and takes what files have beside weights", async () => {
  const one = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  const place =
    'Cannot use checkpoint "DIR/model.safetensors": the model that "DIR/config.json" describes has no place for tensor ';
  const merged = ": adapters are to be merged into the weights";
  const layer = "model.layers.0.self_attn.q_proj", seen = "vision_model.encoder.layers.0.self_attn.q_proj";
  const refused: [keyof typeof SMALL, Record<string, WritableTensor>, string][] = [
    [
      "llama",
      { [`${layer}.lora_A.weight`]: one(2, 8), [`${layer}.lora_B.weight`]: one(8, 2) },
      `"${layer}.lora_A.weight" and 1 more${merged}`,
    ],
    ["llama", { [`${layer}.bias`]: one(8) }, `"${layer}.bias"`],
    ["llama", { [`${layer}.weight.SCB`]: one(8) }, `"${layer}.weight.SCB"`],
    ["llama", { "model.layers.2.input_layernorm.weight": one(8) }, '"model.layers.2.input_layernorm.weight"'],
    ["llama", { __proto__x: one(1) }, '"__proto__x"'],
    ["llama", Object.fromEntries([["__proto__", one(1)]]), '"__proto__"'],
    ["llama", { "a\u001b[2J\nb": one(1) }, '"a\\u001b[2J\\nb"'],
    ["llama", { ["x".repeat(1000)]: one(1) }, `"${"x".repeat(159)}…`],
    [
      "t5",
      { "encoder.block.0.layer.0.adapter.weight": one(2) },
      `"encoder.block.0.layer.0.adapter.weight"${merged}`,
    ],
    ["vision", { [`${seen}.lora_B.default.weight`]: one(12, 2) }, `"${seen}.lora_B.default.weight"${merged}`],
    ["vision", { "text_projection.weight": one(6, 8) }, '"text_projection.weight"'],
    [
      "clip",
      { [`text_model.${layer}.lora_A.weight`]: one(2, 8) },
      `"text_model.${layer}.lora_A.weight"${merged}`,
    ],
  ];
  const taken: [keyof typeof SMALL, Record<string, WritableTensor>][] = [
    ["llama", { "model.layers.0.self_attn.rotary_emb.inv_freq": one(2) }],
    ["t5", {
      "lm_head.weight": one(12, 8),
      "encoder.embed_tokens.weight": one(12, 8),
      "decoder.embed_tokens.weight": one(12, 8),
      "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": one(32, 2),
    }],
    ["clip", {
      "text_model.embeddings.position_ids": one(1, 8),
      "vision_model.embeddings.position_ids": one(1, 5),
    }],
  ];
  await withDataFolder({}, async (folder) => {
    const write = async (family: keyof typeof SMALL, more: Record<string, WritableTensor>) => {
      const { config, parameters } = SMALL[family];
      await writeSmall(folder, config, new Map([...smallWeights(parameters), ...Object.entries(more)]));
    };
    for (const [family, more, sentence] of refused) {
      await write(family, more);
      assertEquals(await refusal(folder), place + sentence);
    }
    for (const [family, more] of taken) {
      await write(family, more);
      assertEquals((await readModelFolder(folder, "mine")).folder, folder);
    }
    // A tensor of a shard that the index does not name is in the checkpoint too.
    const { config, parameters } = SMALL.llama, weights = smallWeights(parameters);
    const shard = "model-00001-of-00001.safetensors";
    await Deno.remove(`${folder}/model.safetensors`);
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
    await writeSafetensors(`${folder}/${shard}`, new Map([...weights, ["x.lora_A", one(1)]]));
    const index = { weight_map: Object.fromEntries([...weights.keys()].map((name) => [name, shard])) };
    await Deno.writeTextFile(`${folder}/model.safetensors.index.json`, JSON.stringify(index));
    assertEquals(await refusal(folder), `${place.replace("/model.safetensors", "")}"x.lora_A"${merged}`);
  });
});

/** A safetensors file of tensors whose bytes are given. */
function rawFile(
  tensors: Readonly<Record<string, { dtype: string; shape: readonly number[]; bytes: Uint8Array }>>,
) {
  let end = 0;
  const header = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) =>
    [name, { dtype, shape, data_offsets: [end, end += bytes.length] }] as const
  );
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const file = new Uint8Array(8 + text.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  let at = 8 + text.length;
  for (const { bytes } of Object.values(tensors)) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

test("baseWeights() refuses a weight that is NaN or infinite, by tensor and element, in every type", async () => {
  const { config, parameters } = SMALL.llama, name = "model.norm.weight";
  const values = (change: number) => Float64Array.of(1, 1, 1, 1, 1, change, 1, 1);
  const bytesOf = {
    F32: (x: Float64Array) => new Uint8Array(new Float32Array(x).buffer),
    F16: (x: Float64Array) => new Uint8Array(new Float16Array(x).buffer),
    BF16: (x: Float64Array) =>
      new Uint8Array(
        Uint16Array.from(new Uint32Array(new Float32Array(x).buffer), (bits) => bits >>> 16).buffer,
      ),
    F64: (x: Float64Array) => new Uint8Array(x.buffer),
  };
  const plain = Object.fromEntries(
    [...smallWeights(parameters)].map((
      [name, { shape, data }],
    ) => [name, { dtype: "F32", shape, bytes: new Uint8Array(new Float32Array(data).buffer) }]),
  );
  await withDataFolder({ "config.json": JSON.stringify(config) }, async (folder) => {
    for (const [dtype, encode] of Object.entries(bytesOf)) {
      for (
        const [value, shown] of [[NaN, "NaN"], [Infinity, "Infinity"], [-Infinity, "-Infinity"], [
          0.5,
          null,
        ]] as const
      ) {
        const tensor = { dtype, shape: [8], bytes: encode(values(value)) };
        await Deno.writeFile(`${folder}/model.safetensors`, rawFile({ ...plain, [name]: tensor }));
        const source = await baseWeights(await readModelFolder(folder, "mine"));
        if (shown === null) assertEquals(source(name, [8])[5], 0.5);
        else {
          const { message } = assertThrows(() => source(name, [8]), CheckpointError);
          assertEquals(
            message.replaceAll(folder, "DIR"),
            `Cannot take tensor "${name}" [8] from "DIR/model.safetensors": element 5 is ${shown}, a finite number is needed`,
          );
        }
      }
    }
    // Too large for 32 bits, and numbers that are no weights without their scale.
    const huge = { dtype: "F64", shape: [8], bytes: bytesOf.F64(values(1e300)) };
    await Deno.writeFile(`${folder}/model.safetensors`, rawFile({ ...plain, [name]: huge }));
    const source = await baseWeights(await readModelFolder(folder, "mine"));
    assertThrows(() => source(name, [8]), CheckpointError, "element 5 is Infinity");
    for (const dtype of ["I8", "U8", "F8_E4M3"]) {
      const packed = { dtype, shape: [8], bytes: new Uint8Array(8) };
      await Deno.writeFile(`${folder}/model.safetensors`, rawFile({ ...plain, [name]: packed }));
      assertEquals(
        await refusal(folder),
        `Cannot take tensor "${name}" [8] from "DIR/model.safetensors": its elements are ${dtype}, one of F16, BF16, F32, F64 is needed`,
      );
    }
  });
});

test("readModelFolder() and fingerprintModel() refuse what is no file, or no JSON that can be read, without waiting for it", async () => {
  const files = ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"];
  const directory = "it is a folder, a file is needed";
  const pipe = "it is a named pipe, a file is needed";
  const loop = "it is a link that leads back to itself";
  await withDataFolder({}, async (folder) => {
    const { config, parameters } = SMALL.vision, weights = smallWeights(parameters);
    const grey = { ...config, num_channels: 3 };
    const kinds: [(path: string) => Promise<unknown>, string][] = [
      [(path) => Deno.mkdir(path), directory],
      [(path) => new Deno.Command("sh", { args: ["-c", 'mkfifo "$0"', path] }).output(), pipe],
      [(path) => Deno.symlink(path, path), loop],
      [(path) => Deno.symlink("../blobs/none", path), "it is a link to where nothing is"],
    ];
    for (const file of files) {
      for (const [make, reason] of kinds) {
        await writeSmall(folder, grey, weights);
        await Deno.remove(`${folder}/${file}`).catch(() => {});
        await make(`${folder}/${file}`);
        const { message } = await assertRejects(async () => {
          await readModelFolder(folder, "mine");
          await fingerprintModel(folder);
        }, CheckpointError);
        assertEquals(message.replaceAll(folder, "DIR"), `Cannot read "DIR/${file}": ${reason}`);
        await Deno.remove(`${folder}/${file}`);
      }
    }
    // A shard.
    await Deno.remove(`${folder}/model.safetensors`);
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
    const shard = "model-00001-of-00001.safetensors";
    await kinds[1]![0](`${folder}/${shard}`);
    await Deno.writeTextFile(
      `${folder}/model.safetensors.index.json`,
      JSON.stringify({ weight_map: { a: shard } }),
    );
    assertEquals(await refusal(folder), `Cannot read checkpoint "DIR/${shard}": ${pipe}`);
    // JSON.
    const deep = `${"[".repeat(1e5)}${"]".repeat(1e5)}`, path = `${folder}/config.json`;
    for (
      const [text, reason] of [
        ["{", "it is not valid JSON"],
        ["", "it is not valid JSON"],
        [deep, "it is nested more than 100 levels deep"],
        [`{"model_type": "llama", "vocab_size": ${deep}}`, "it is nested more than 100 levels deep"],
        [
          `{"model_type": "llama", "x": "${"x".repeat(2 ** 24)}"}`,
          "it has 16777248 bytes, 16777216 at most are needed",
        ],
        ["[]", `its model_type is missing, ${KNOWN}`],
      ] as const
    ) {
      await Deno.writeTextFile(path, text);
      assertEquals(await refusal(folder), `Cannot read model config "DIR/config.json": ${reason}`);
    }
  });
});

test("readModelFolder() and baseWeights() take what 240 seeded faults make of a folder, or refuse it by one sentence", async () => {
  const preprocessor = { do_normalize: true, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
  const families = Object.keys(SMALL) as (keyof typeof SMALL)[], refusals: string[] = [];
  for (let seed = 0; seed < 240; seed++) {
    const draw = drawsOf(seed), { config, parameters } = SMALL[families[seed % families.length]!];
    const weights = encodeSafetensors(smallWeights(parameters));
    const json = { "config.json": config, "preprocessor_config.json": preprocessor };
    const files: Record<string, Uint8Array<ArrayBuffer>> = { "model.safetensors": weights };
    const changed =
      (["config.json", "config.json", "model.safetensors", "preprocessor_config.json"] as const)[draw(4)]!;
    const asJson = draw(3) > 0;
    for (const [name, value] of Object.entries(json)) {
      const given = name === changed && asJson ? mutateJson(value, draw) : value;
      files[name] = new TextEncoder().encode(JSON.stringify(given));
    }
    if (changed === "model.safetensors" && asJson) {
      const length = Number(new DataView(weights.buffer).getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(weights.subarray(8, 8 + length)));
      const text = new TextEncoder().encode(JSON.stringify(mutateJson(header, draw)));
      const file = Uint8Array.of(...new Uint8Array(8), ...text, ...weights.subarray(8 + length));
      new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
      files[changed] = file;
    } else if (!asJson) files[changed] = mutateBytes(files[changed]!, draw);
    await withDataFolder(files, async (folder) => {
      try {
        const entry = await readModelFolder(folder, "mine"), source = await baseWeights(entry);
        for (const { name, shape } of entry.parameters) source(name, shape);
      } catch (error) {
        assert(
          error instanceof CheckpointError,
          `seed ${seed}: ${error instanceof Error ? error.stack : error}`,
        );
        const message = error.message.replaceAll(folder, "DIR");
        // deno-lint-ignore no-control-regex
        assert(/^Cannot [^\u0000-\u001f]{20,600}$/.test(message), `seed ${seed}: ${message}`);
        assert(
          !/NaN,|\[object|is not a function|of null/.test(message),
          `seed ${seed}: ${message}`,
        );
        refusals.push(message);
      }
    });
  }
  // Most faults are found, of many kinds; a changed weight is a weight.
  const kinds = new Set(refusals.map((message) => message.replaceAll(/[0-9]+|".*?"/g, "")));
  assert(refusals.length > 120 && kinds.size > 25, `${refusals.length} of ${kinds.size} kinds`);
});
