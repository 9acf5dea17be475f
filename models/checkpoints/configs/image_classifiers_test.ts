import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { inFolder } from "../../../tests/support/in_folder.ts";
import { fixture } from "../../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../../tests/support/test_needing.ts";
import { testGpu } from "../../../tests/support/test_gpu.ts";
import { writeMerged } from "../../../training/export/merge.ts";
import { baseWeights } from "../../base_weights.ts";
import { CheckpointError } from "../checkpoint.ts";
import { checkpointConfig } from "../hugging_face.ts";
import { readModelFolder } from "../model_folder.ts";
import { readSafetensors } from "../read_safetensors.ts";
import { writeSafetensors } from "../write_safetensors.ts";

const test = testNeeding(FILES);

Deno.test("checkpointConfig() reads ViT and DINOv2, and refuses what our classifiers do not have", () => {
  const sizes = { channels: 3, width: 768, layers: 12, heads: 12, hidden: 3072, activation: "gelu" } as const;
  assertEquals(checkpointConfig({ model_type: "vit", id2label: { 0: "a", 1: "b", 2: "c" } }, "file"), {
    family: "image-classifier",
    config: { kind: "vit", ...sizes, image: 224, patch: 16, normEpsilon: 1e-12, outputs: 3 },
  });
  assertEquals(checkpointConfig({ model_type: "dinov2", image_size: 518 }, "file"), {
    family: "image-classifier",
    config: { kind: "dinov2", ...sizes, image: 518, patch: 14, normEpsilon: 1e-6, outputs: 2 },
  });
  for (
    const [json, reason] of [
      [{ model_type: "vit", hidden_act: "relu" }, 'hidden_act is "relu", "gelu" is needed'],
      [{ model_type: "vit", qkv_bias: false }, "qkv_bias is false, queries, keys and values with biases"],
      [{ model_type: "vit", patch_size: 15 }, "patch_size is 15, a divisor of image_size is needed"],
      [{ model_type: "dinov2", use_swiglu_ffn: true }, "use_swiglu_ffn is true, a feed-forward part of GELU"],
    ] as const
  ) {
    assertThrows(() => checkpointConfig(json, "file"), CheckpointError, `config "file": ${reason}`);
  }
});

test("readModelFolder() takes a network that was only pretrained, for a new head, and images as its folder cuts them", async () => {
  const from = fixture("hf/tiny-dinov2");
  const { tensors } = await readSafetensors(`${from}/model.safetensors`);
  await inFolder(async (folder) => {
    const bare = new Map(
      [...tensors].filter(([name]) => !name.startsWith("classifier.")).map(([name, { shape, data }]) =>
        [name.replace("dinov2.", ""), { shape, data }] as const
      ),
    );
    await writeSafetensors(`${folder}/model.safetensors`, bare);
    await Deno.copyFile(`${from}/config.json`, `${folder}/config.json`);
    const crop = (crop_size: unknown) =>
      Deno.writeTextFile(`${folder}/preprocessor_config.json`, JSON.stringify({ crop_size }));
    await crop({ height: 12, width: 12 });
    const entry = await readModelFolder(folder, "dino"), own = entry.withNewHead!(5);
    assertEquals([own.inputSize, own.outputs, own.newHead], [12, 5, [
      { name: "classifier.weight", shape: [5, 64] },
      { name: "classifier.bias", shape: [5] },
    ]]);
    const gpu = await testGpu();
    using _ = gpu.scope("model");
    const model = own.create(gpu, await baseWeights(entry));
    assertEquals(model.head.map(({ name }) => name), ["classifier.weight", "classifier.bias"]);

    // A merged model has the new head, the names of its classes, and what nothing looks at.
    const head = { shape: [5, 64], data: new Float32Array(320).fill(2) };
    const bias = { shape: [5], data: new Float32Array(5).fill(3) };
    await Deno.mkdir(`${folder}/merged`);
    await writeMerged(`${folder}/merged`, entry, [{
      changes: [],
      whole: new Map([["classifier.weight", head], ["classifier.bias", bias]]),
    }]);
    const merged = await readModelFolder(`${folder}/merged`, "merged");
    assertEquals([merged.outputs, merged.inputSize], [5, 12]);
    const written = await readSafetensors(`${folder}/merged/model.safetensors`);
    assertEquals(written.tensors.get("classifier.weight")!.data, head.data);
    const known = ({ name }: { readonly name: string }) => written.tensors.has(name);
    assertEquals(merged.parameters.every(known), true);

    await crop(15);
    await assertRejects(
      () => readModelFolder(folder, "dino"),
      CheckpointError,
      "images of 15 pixels can't be cut into patches of 4",
    );
    await crop({ height: 12, width: 8 });
    await assertRejects(
      () => readModelFolder(folder, "dino"),
      CheckpointError,
      "crop_size is 8 by 12 pixels, a square is needed",
    );
  });
});
