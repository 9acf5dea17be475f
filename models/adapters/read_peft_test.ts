import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { lookAtAdapter } from "../../training/export/look_at_adapter.ts";
import { adapterJson, adapterPage, describeAdapter } from "../../benchmarks/report/adapter_page.ts";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { CheckpointError } from "../checkpoints/checkpoint.ts";
import { encodeSafetensors } from "../checkpoints/write_safetensors.ts";
import { baseWeights } from "../base_weights.ts";
import { decoder } from "../entry.ts";
import { decoderTiny, vitTiny } from "../sizes.ts";
import { type HostValues, joined } from "./low_rank_change.ts";
import { readPeftFolder } from "./read_peft.ts";
import { requireFits } from "./require_fits.ts";

const test = testNeeding(FILES);

const values = (shape: readonly number[], of: (i: number) => number): HostValues => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => of(i)),
});

type Tensors = Readonly<Record<string, HostValues>>;

async function withAdapter(
  config: object,
  tensors: Tensors,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  await withDataFolder({
    "adapter_config.json": JSON.stringify(config),
    "adapter_model.safetensors": encodeSafetensors(new Map(Object.entries(tensors)), { format: "pt" }),
  }, use);
}

/** Factors of a map. */
function pair(path: string, rank: number, more: Tensors = {}): Tensors {
  return {
    [`base_model.model.${path}.lora_A.weight`]: values([rank, 4], (i) => i + 1),
    [`base_model.model.${path}.lora_B.weight`]: values([3, rank], (i) => i - 1),
    ...more,
  };
}

test("readPeftFolder() reads LoRA, rsLoRA, DoRA and AdaLoRA, with ranks and alphas of single maps", async () => {
  const scales = async (config: object, tensors: Tensors) => {
    let found: unknown;
    await withAdapter({ peft_type: "LORA", ...config }, tensors, async (folder) => {
      const { changes, method } = await readPeftFolder(folder);
      found = [method, ...changes.map(({ path, scale }) => [path, scale])];
    });
    return found;
  };
  const both = { ...pair("m.0.q", 2), ...pair("m.1.q", 4) };
  const patterns = { rank_pattern: { "1.q": 4 }, alpha_pattern: { "^m.1.q": 2, q: 6 } };
  assertEquals(await scales({ r: 2, lora_alpha: 16, ...patterns }, both), ["LoRA", ["m.0.q", 3], [
    "m.1.q",
    0.5,
  ]]);
  assertEquals(await scales({ r: 4, lora_alpha: 16, use_rslora: true }, pair("q", 4)), ["rsLoRA", ["q", 8]]);
  const magnitude = { "base_model.model.q.lora_magnitude_vector": values([3], () => 1) };
  assertEquals(await scales({ r: 2, lora_alpha: 2, use_dora: true }, pair("q", 2, magnitude)), ["DoRA", [
    "q",
    1,
  ]]);
  const e = { "base_model.model.q.lora_E": values([2, 1], () => 1) };
  assertEquals(await scales({ peft_type: "ADALORA", init_r: 2, lora_alpha: 2 }, pair("q", 2, e)), [
    "AdaLoRA",
    ["q", 2 / (2 + 1e-5)],
  ]);
});

/** All fields that PEFT 0.19.1 writes of a LoRA adapter, and AdaLoRA's and those of its first versions. */
const WRITTEN = {
  ...{ alora_invocation_tokens: null, alpha_pattern: {}, arrow_config: null, corda_config: null },
  auto_mapping: { base_model_class: "BertModel", parent_library: "transformers.models.bert.modeling_bert" },
  ...{ base_model_name_or_path: "google-bert/bert-base-uncased", bias: "none", ensure_weight_tying: false },
  ...{ eva_config: { rho: 2 }, exclude_modules: ["lm_head"], fan_in_fan_out: false, inference_mode: true },
  ...{ init_lora_weights: "eva", layer_replication: null, layers_pattern: null, layers_to_transform: [0, 1] },
  ...{ loftq_config: {}, lora_alpha: 2, lora_bias: false, lora_dropout: 0.05, lora_ga_config: null },
  ...{ megatron_config: null, megatron_core: "megatron.core", modules_to_save: null, peft_type: "LORA" },
  ...{ peft_version: "0.19.1", qalora_group_size: 16, r: 2, rank_pattern: {}, revision: "main" },
  ...{ target_modules: ["q"], target_parameters: null, task_type: "SEQ_CLS", trainable_token_indices: null },
  ...{ use_bdlora: null, use_dora: false, use_qalora: false, use_rslora: false },
  ...{ target_r: 8, tinit: 0, tfinal: 0, deltaT: 1, beta1: 0.85, beta2: 0.85, orth_reg_weight: 0.5 },
  ...{ total_step: 100, enable_lora: null, merge_weights: true, runtime_config: { ephemeral: false } },
};

test("readPeftFolder() passes fields that change nothing, and refuses those that change what an adapter computes", async () => {
  await withAdapter(WRITTEN, pair("q", 2), async (folder) => {
    const { method, changes } = await readPeftFolder(folder);
    assertEquals([method, changes.length], ["LoRA", 1]);
  });
  const refused = async (config: object, reason: string) => {
    await withAdapter({ ...WRITTEN, ...config }, pair("q", 2), async (folder) => {
      const { message } = await assertRejects(() => readPeftFolder(folder), CheckpointError);
      assertEquals(message, `Cannot use "${folder}/adapter_config.json": ${reason}`);
    });
  };
  await refused({ use_qalora: true }, "use_qalora is true, false is needed");
  await refused({ use_bdlora: { nblocks: 2 } }, 'use_bdlora is {"nblocks":2}, null is needed');
  await refused({ arrow_config: { top_k: 3 } }, 'arrow_config is {"top_k":3}, null is needed');
  await refused({ megatron_config: { a: 1 } }, 'megatron_config is {"a":1}, null is needed');
  await refused({ trainable_token_indices: [5] }, "trainable_token_indices is [5], null is needed");
  await refused({ target_parameters: ["w"] }, 'target_parameters is ["w"], null is needed');
  await refused({ alora_invocation_tokens: [7] }, "alora_invocation_tokens is [7], null is needed");
  await refused({ enable_lora: [true, false] }, "enable_lora is [true,false], null is needed");
  for (const start of ["pissa", "pissa_niter_16", "olora", "corda", "lora_ga", "loftq"]) {
    await refused(
      { init_lora_weights: start },
      `init_lora_weights is "${start}", a start that leaves the base weights as they are is needed, which PEFT's ` +
        "save_pretrained() writes with path_initial_model_for_weight_conversion",
    );
  }
  for (const start of [true, false, null, "gaussian", "orthogonal", "mica"]) {
    await withAdapter({ ...WRITTEN, init_lora_weights: start }, pair("q", 2), async (folder) => {
      await readPeftFolder(folder);
    });
  }
  const unknown = "a field that is not known here and may change what the adapter computes";
  for (const value of [true, 1, 0, "x", [1], { a: 1 }]) {
    await refused({ use_mora: value }, `"use_mora" is ${JSON.stringify(value)}, ${unknown}`);
  }
  const empty = { use_mora: false, later: null, more: [], still: {}, last: "" };
  await withAdapter({ ...WRITTEN, ...empty }, pair("q", 2), async (folder) => {
    await readPeftFolder(folder);
  });
});

test("modules_to_save are told by the ends of names, as PEFT takes them", async () => {
  const tensors = {
    ...pair("distilbert.q", 2),
    "base_model.model.pre_classifier.weight": values([2, 2], () => 1),
    "base_model.model.classifier.out_proj.bias": values([2], () => 1),
  };
  const saved = { peft_type: "LORA", r: 2, modules_to_save: ["classifier", "score"] };
  await withAdapter(saved, tensors, async (folder) => {
    const { whole } = await readPeftFolder(folder);
    assertEquals([...whole.keys()].sort(), ["classifier.out_proj.bias", "pre_classifier.weight"]);
  });
  await withAdapter({ ...saved, modules_to_save: ["classifier.dense"] }, tensors, async (folder) => {
    await assertRejects(() => readPeftFolder(folder), CheckpointError, 'pre_classifier.weight" is no part');
  });
});

test("an embedding that a model uses twice is replaced in both places, or not at all", async () => {
  const path = "model.layers.0.self_attn.q_proj", table = "model.embed_tokens.weight";
  const config = decoderTiny.decoder!;
  const tied = decoder({ id: "tied", title: "", recipe: null, config: { ...config, tiedHead: true } });
  const shapeOf = (name: string) => tied.parameters.find((one) => one.name === name)!.shape;
  const [out, inputs] = shapeOf(`${path}.weight`) as [number, number];
  const tensors = {
    [`base_model.model.${path}.lora_A.weight`]: values([2, inputs], () => 1),
    [`base_model.model.${path}.lora_B.weight`]: values([out, 2], () => 0),
    [`base_model.model.${table}`]: values(shapeOf(table), () => 1),
  };
  const saved = { peft_type: "LORA", r: 2, modules_to_save: ["embed_tokens"] };
  await withAdapter(saved, tensors, async (folder) => {
    const adapter = await readPeftFolder(folder);
    requireFits(adapter, decoderTiny);
    assertThrows(
      () => requireFits(adapter, tied),
      CheckpointError,
      `it replaces "${table}" in one of the places where the model uses it, "ensure_weight_tying": true is needed`,
    );
  });
  await withAdapter({ ...saved, ensure_weight_tying: true }, tensors, async (folder) => {
    requireFits(await readPeftFolder(folder), tied);
  });
});

test("readPeftFolder() refuses by name what it does not know, and what does not fit together", async () => {
  const refused = async (config: object, tensors: Tensors, reason: string) => {
    await withAdapter({ peft_type: "LORA", r: 2, ...config }, tensors, async (folder) => {
      const { message } = await assertRejects(() => readPeftFolder(folder), CheckpointError);
      assertStringIncludes(message, reason);
      assert(!message.includes("\n"), message);
    });
  };
  const own = pair("q", 2);
  await refused({ peft_type: "IA3" }, own, 'peft_type is "IA3", "LORA" or "ADALORA" is needed');
  await refused({ bias: "half" }, own, 'bias is "half", "none", "all" or "lora_only" is needed');
  await refused({ lora_bias: true }, own, "lora_bias is true");
  await refused({ layer_replication: [[0, 1]] }, own, "layer_replication is [[0,1]], null is needed");
  await refused({ target_modules: 1 }, own, "target_modules is 1, a value of another form is needed");
  await refused(
    { modules_to_save: ["lm_head"] },
    own,
    'modules_to_save is ["lm_head"], and it has no tensor',
  );
  await refused(
    { rank_pattern: { "(a+)+$": 2 } },
    own,
    "the name of a linear map or the end of one is needed",
  );
  await refused({ r: 3 }, own, "[3, in] and [out, 3] are needed");
  await refused({ use_dora: true }, own, '"q" has no lora_magnitude_vector');
  await refused(
    {},
    pair("q", 2, { "base_model.model.q.lora_magnitude_vector": values([3], () => 1) }),
    "though use_dora is",
  );
  await refused(
    {},
    { ...own, "base_model.model.embed.lora_embedding_A": values([2, 3], () => 1) },
    "is no part of a low-rank change",
  );
  await refused({}, { "base_model.model.q.lora_A.weight": values([2, 4], () => 1) }, '"q" has lora_A alone');
  await refused(
    {},
    pair("q", 2, { "base_model.model.q.lora_B.weight": values([3, 2], () => NaN) }),
    "element 0 of tensor",
  );
  await withDataFolder(
    { "two/b/adapter_config.json": "{}", "two/a/adapter_config.json": "{}" },
    async (folder) => {
      const lacks = async (path: string, reason: string) => {
        const { message } = await assertRejects(() => readPeftFolder(`${folder}/${path}`), CheckpointError);
        assertEquals(message, `Cannot read adapter "${folder}/${path}": ${reason}`);
      };
      await lacks("two", "it has no adapter_config.json, its folders have: a, b");
      await lacks("none", "there is no such folder");
      await lacks("two/a/adapter_config.json", "it is a file, a folder is needed");
    },
  );
  await withDataFolder({ "adapter_config.json": "{}" }, async (folder) => {
    await assertRejects(() => readPeftFolder(folder), CheckpointError, "peft_type is missing");
    await Deno.writeTextFile(`${folder}/adapter_config.json`, '{"peft_type": "LORA"}');
    await assertRejects(() => readPeftFolder(folder), CheckpointError, "it has no adapter_model.safetensors");
    await Deno.writeTextFile(`${folder}/adapter_model.bin`, "");
    await assertRejects(
      () => readPeftFolder(folder),
      CheckpointError,
      "adapter_model.bin is a program's memory",
    );
  });
});

test("joined() is one change for two, at the second one's scale", () => {
  const a = values([1, 2], (i) => i + 1), b = values([2, 1], (i) => 2 * i + 1);
  assertEquals(
    joined({ path: "q", a, b, scale: 3 }, { path: "q", a, b, scale: 2 })!.b.data,
    Float32Array.of(1, 1.5, 3, 4.5),
  );
  assertEquals(joined({ path: "q", a, b, scale: 3, magnitude: a }, { path: "q", a, b, scale: 2 }), null);
});

test("lookAtAdapter() tells singular values, norms and intruder dimensions of a change that is known", async () => {
  const path = "vision_model.encoder.layers.1.self_attn.q_proj",
    unit = (at: number, size: number) => (i: number) => i === at ? size : 0;
  // Two orthogonal directions, of 6 and 3: far more than the weight has.
  const tensors = {
    [`base_model.model.${path}.lora_A.weight`]: values([2, 64], (i) => unit(0, 1)(i) + unit(64 + 5, 1)(i)),
    [`base_model.model.${path}.lora_B.weight`]: values(
      [64, 2],
      (i) => unit(0, 60)(i) + unit(2 * 7 + 1, 30)(i),
    ),
  };
  const config = { peft_type: "LORA", r: 2, lora_alpha: 0.2, base_model_name_or_path: "vit-tiny" };
  await withAdapter(config, tensors, async (folder) => {
    const look = await lookAtAdapter(folder, vitTiny), [map] = look.maps;
    assertEquals([look.maps.length, look.count, map!.layer, map!.kind, map!.used], [1, 256, 1, "q_proj", 2]);
    assertClose(map!.singularValues!, [6, 3], { relative: 1e-6 });
    assertClose([map!.norm, map!.effectiveRank!], [
      Math.sqrt(45),
      Math.exp(Math.log(1.5) * 2 / 3 + Math.log(3) / 3),
    ], { relative: 1e-6 });
    // The coordinates 0 and 7 are no singular vectors of the base weight.
    assertEquals(map!.intruders, 2);
    const same = await lookAtAdapter(folder, vitTiny, [{
      path,
      scale: 0.1,
      a: tensors[`base_model.model.${path}.lora_A.weight`]!,
      b: tensors[`base_model.model.${path}.lora_B.weight`]!,
    }]);
    assertClose([same.maps[0]!.toRun!.cosine, 1 + same.maps[0]!.toRun!.distance], [1, 1], { relative: 1e-6 });
    assert(
      describeAdapter(look).some((sentence) => sentence.includes("are among the first 10 of 1 of 1 weights")),
    );
    const still = look.maps.map((map) => ({ ...map, norm: 0, relativeNorm: 0 }));
    assertStringIncludes(describeAdapter({ ...look, maps: still })[1]!, "It leaves all of them as they are");
    assertEquals(JSON.parse(adapterJson(look)), {
      adapter: { name: folder, base: "vit-tiny", method: "LoRA" },
      ...{ model: "vit-tiny", maps: look.maps, whole: [], count: 256 },
    });
    const files = await adapterPage(look);
    assertEquals([...files.keys()], [
      "index.html",
      "maps.csv",
      "norm-by-layer.vl.json",
      "singular-values.vl.json",
      "intruders-by-layer.vl.json",
    ]);
    assertStringIncludes(files.get("maps.csv")!, `\r\n${path},1,2,2,`);
  });
});

test("an adapter's head may be of other classes than the model's, until the model's own is asked for", async () => {
  const path = "vision_model.encoder.layers.0.self_attn.q_proj";
  const { shape } = vitTiny.parameters.find(({ name }) => name === `${path}.weight`)!;
  const factors = {
    [`base_model.model.${path}.lora_A.weight`]: values([2, shape[1]!], () => 1),
    [`base_model.model.${path}.lora_B.weight`]: values([shape[0]!, 2], () => 0),
  };
  const saved = { peft_type: "LORA", r: 2, modules_to_save: ["visual_projection", "post_layernorm"] };
  const head = { "base_model.model.visual_projection.weight": values([3, 64], () => 1) };
  const norm = { "base_model.model.vision_model.post_layernorm.weight": values([3], () => 1) };
  await withAdapter(saved, { ...factors, ...head }, async (folder) => {
    requireFits(await readPeftFolder(folder), vitTiny);
    const weights = await baseWeights({ ...vitTiny, adapter: folder }), own = vitTiny.outputs;
    assertThrows(
      () => weights("visual_projection.weight", [own, 64]),
      CheckpointError,
      `"visual_projection.weight" is [3,64] in it, [${own},64] is needed`,
    );
  });
  await withAdapter(saved, { ...factors, ...norm }, async (folder) => {
    const adapter = await readPeftFolder(folder);
    assertThrows(
      () => requireFits(adapter, vitTiny),
      CheckpointError,
      'post_layernorm.weight" is [3] in it, [64]',
    );
  });
});
