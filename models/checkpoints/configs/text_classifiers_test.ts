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

Deno.test("checkpointConfig() reads BERT, RoBERTa, DistilBERT and DeBERTa-v3, and refuses what our classifiers do not have", () => {
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
  // As microsoft/deberta-v3-base has it.
  const deberta = {
    ...{ model_type: "deberta-v2", hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12 },
    ...{ intermediate_size: 3072, max_position_embeddings: 512, relative_attention: true },
    ...{ position_buckets: 256, norm_rel_ebd: "layer_norm", share_att_key: true, pos_att_type: "p2c|c2p" },
    ...{ layer_norm_eps: 1e-7, max_relative_positions: -1, position_biased_input: false },
    ...{ type_vocab_size: 0, vocab_size: 128100 },
  };
  assertEquals(read(deberta), {
    ...{ kind: "deberta", ...sizes, layers: 12, vocabulary: 128100, length: 512, types: 0 },
    ...{ normEpsilon: 1e-7, paddingToken: 0, outputs: 2, relative: { buckets: 256, maxPosition: 512 } },
  });
  for (
    const [json, reason] of [
      [{ ...deberta, pos_att_type: ["c2p"] }, 'pos_att_type is ["c2p"], ["p2c","c2p"] is needed'],
      [{ ...deberta, relative_attention: false }, "relative_attention is false, true is needed"],
      [{ ...deberta, position_biased_input: true }, "position_biased_input is true, false is needed"],
      [{ ...deberta, share_att_key: false }, "share_att_key is false, true is needed"],
      [{ ...deberta, norm_rel_ebd: "none" }, 'norm_rel_ebd is "none", "layer_norm" is needed'],
      [{ ...deberta, type_vocab_size: 2 }, "type_vocab_size is 2, 0 is needed"],
      [{ ...deberta, conv_kernel_size: 3 }, "conv_kernel_size is 3, no convolution (0) is needed"],
      [{ ...deberta, position_buckets: -1 }, "position_buckets is -1, an even number from 2 is needed"],
      [{ ...deberta, max_relative_positions: 100 }, "max_relative_positions is 100, more than half of"],
      [{ ...deberta, attention_head_size: 32 }, "attention_head_size is 32, hidden_size / num_attention"],
      [{ ...deberta, embedding_size: 128 }, "embedding_size is 128, as many as hidden_size are"],
      [{ ...deberta, pooler_hidden_act: "tanh" }, 'pooler_hidden_act is "tanh", "gelu" is needed'],
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
    const [name, beside, heads] of [
      ["deberta-v3", "lm_predictions.lm_head.bias", [
        ...["pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias"],
      ]],
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
    const from = fixture(`hf/tiny-${name}`), kind = name.split("-")[0]!;
    const { tensors } = await readSafetensors(`${from}/model.safetensors`);
    await inFolder(async (folder) => {
      const bare = new Map<string, WritableTensor>(
        [...tensors].filter(([name]) => !/^((pre_)?classifier|pooler)\./.test(name)).map(
          ([name, { shape, data }]) => {
            const older = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
              "LayerNorm.bias",
              "LayerNorm.beta",
            );
            return [older.replace(`${kind}.`, ""), { shape, data }];
          },
        ),
      );
      const write = () => writeSafetensors(`${folder}/model.safetensors`, bare);
      bare.set(beside, other);
      await write();
      await Deno.copyFile(`${from}/config.json`, `${folder}/config.json`);
      using _ = gpu.scope("model");
      const entry = await readModelFolder(folder, kind), own = entry.withNewHead!(5);
      const model = own.create(gpu, await baseWeights(entry));
      assertEquals(model.head.map(({ name }) => name), [...heads], kind);
      assertEquals(own.newHead, model.head.map(({ name, value: { shape } }) => ({ name, shape })), kind);
      const norm = model.parameters.find(({ name }) => name === `${kind}.embeddings.LayerNorm.weight`)!;
      assertEquals(await gpu.download(norm.value), tensors.get(norm.name)!.data, kind);

      bare.set("encoder.extra.weight", other);
      await write();
      await assertRejects(() => readModelFolder(folder, kind), CheckpointError, '"encoder.extra.weight"');
    });
  }
});
