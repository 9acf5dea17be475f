import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { inFolder } from "../../../tests/support/in_folder.ts";
import { fixture } from "../../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../../tests/support/test_needing.ts";
import { testGpu } from "../../../tests/support/test_gpu.ts";
import { baseWeights } from "../../base_weights.ts";
import { CheckpointError } from "../checkpoint.ts";
import { checkpointConfig } from "../hugging_face.ts";
import { readModelFolder } from "../model_folder.ts";
import { readSafetensors } from "../read_safetensors.ts";
import { type WritableTensor, writeSafetensors } from "../write_safetensors.ts";

const test = testNeeding(FILES);

Deno.test("checkpointConfig() reads BERT, RoBERTa and DistilBERT, and refuses what our classifiers do not have", () => {
  const sizes = { width: 768, heads: 12, hidden: 3072, activation: "gelu", normEpsilon: 1e-12 } as const;
  const read = (json: object) => checkpointConfig(json, "file").config;
  assertEquals(read({ model_type: "bert", id2label: { 0: "a", 1: "b", 2: "c" } }), {
    ...{ kind: "bert", ...sizes, layers: 12, vocabulary: 30522, length: 512, types: 2 },
    ...{ paddingToken: 0, outputs: 3 },
  });
  // The table has a row for the padding and one before it, which no text uses.
  assertEquals(read({ model_type: "roberta", max_position_embeddings: 514, type_vocab_size: 1 }), {
    ...{ kind: "roberta", ...sizes, layers: 12, vocabulary: 50265, length: 512, types: 1 },
    ...{ paddingToken: 1, outputs: 2 },
  });
  assertEquals(read({ model_type: "distilbert" }), {
    ...{ kind: "distilbert", ...sizes, layers: 6, vocabulary: 30522, length: 512, types: 0 },
    ...{ paddingToken: 0, outputs: 2 },
  });
  for (
    const [json, reason] of [
      [{ model_type: "bert", hidden_act: "relu" }, 'hidden_act is "relu", "gelu" is needed'],
      [
        { model_type: "bert", position_embedding_type: "relative_key" },
        'position_embedding_type is "relative_key", "absolute" is needed',
      ],
      [
        { model_type: "roberta", is_decoder: true },
        "is_decoder is true, attention to the whole text (false)",
      ],
      [
        { model_type: "roberta", num_attention_heads: 5 },
        "num_attention_heads is 5, a divisor of hidden_size",
      ],
      [
        { model_type: "distilbert", problem_type: "regression" },
        'problem_type is "regression", classes that',
      ],
      [{ model_type: "distilbert", n_heads: 5 }, "n_heads is 5, a divisor of dim is needed"],
    ] as const
  ) {
    assertThrows(() => checkpointConfig(json, "file"), CheckpointError, `config "file": ${reason}`);
  }
});

test("readModelFolder() takes encoders that were only pretrained, under older names, with heads of other tasks beside them", async () => {
  const gpu = await testGpu();
  const other = { shape: [3], data: new Float32Array(3) };
  for (
    const [kind, beside, heads] of [
      ["bert", "cls.predictions.bias", ["classifier.weight", "classifier.bias"]],
      ["roberta", "lm_head.bias", [
        ...["classifier.dense.weight", "classifier.dense.bias"],
        ...["classifier.out_proj.weight", "classifier.out_proj.bias"],
      ]],
      ["distilbert", "vocab_projector.bias", [
        ...["pre_classifier.weight", "pre_classifier.bias"],
        ...["classifier.weight", "classifier.bias"],
      ]],
    ] as const
  ) {
    const from = fixture(`hf/tiny-${kind}`);
    const { tensors } = await readSafetensors(`${from}/model.safetensors`);
    await inFolder(async (folder) => {
      const bare = new Map<string, WritableTensor>(
        [...tensors].filter(([name]) => !/^(pre_)?classifier\./.test(name)).map(([name, { shape, data }]) => {
          const older = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias",
            "LayerNorm.beta",
          );
          return [older.replace(`${kind}.`, ""), { shape, data }];
        }),
      );
      const write = () => writeSafetensors(`${folder}/model.safetensors`, bare);
      bare.set(beside, other);
      await write();
      await Deno.copyFile(`${from}/config.json`, `${folder}/config.json`);
      using _ = gpu.scope("model");
      const entry = await readModelFolder(folder, kind), own = entry.withNewHead!(5);
      const model = own.create(gpu, await baseWeights(entry));
      assertEquals(model.head.map(({ name }) => name), [...heads], kind);
      assertEquals(own.newHead, model.head.map(({ value }) => value.shape.reduce((a, b) => a * b)), kind);
      const norm = model.parameters.find(({ name }) => name === `${kind}.embeddings.LayerNorm.weight`)!;
      assertEquals(await gpu.download(norm.value), tensors.get(norm.name)!.data, kind);

      bare.set("encoder.extra.weight", other);
      await write();
      await assertRejects(() => readModelFolder(folder, kind), CheckpointError, '"encoder.extra.weight"');
    });
  }
});
