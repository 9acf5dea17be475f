import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { CheckpointError } from "../../models/checkpoints/checkpoint.ts";
import type { WritableTensor } from "../../models/checkpoints/write_safetensors.ts";
import * as models from "../../models/mod.ts";
import { readModelFolder } from "../../models/checkpoints/model_folder.ts";
import { CLIP, LLAMA, writeModel } from "../../tests/support/model_writer.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { withModelFingerprint, withModelFolders } from "./chosen_models.ts";
import type { RunConfig } from "../run.ts";
import { RunResult } from "../schemas.ts";
import { train } from "../train.ts";
import { UserError } from "../../errors/user_error.ts";
import { inFolder } from "../../tests/support/in_folder.ts";

const test = testNeeding(FILES);

const base: RunConfig = {
  schema: 1,
  task: { id: "arithmetic", trainExamples: 20, validationExamples: 5, testExamples: 5 },
  model: { id: "decoder-tiny" },
  targetModules: ["*"],
  optimizer: { id: "lora", options: { rank: 2 } },
  steps: 3,
  batchSize: 4,
  accumulate: 1,
  schedule: { kind: "constant", learningRate: 1e-3, warmup: 0, floor: 1 },
  clip: 1,
  validateEvery: 3,
  telemetryEvery: 0,
  scoreOn: "validation",
  seed: 0,
};

/** What a run of equal weights has in common, wherever they are from: what a folder's were pre-trained on nobody knows. */
function found(result: RunResult) {
  assert(result.status === "done", JSON.stringify(result));
  const { cost, forgetting, ...rest } = result.outcome;
  assertEquals(forgetting === undefined, result.config.model.path !== undefined);
  return { ...rest, peakBytes: cost.peakBytes };
}

test("train() from a folder gives the bits of the shipped model with the same weights, in one file or shards", async () => {
  const gpu = await testGpu();
  await inFolder(async (folder) => {
    for (
      const [task, json, entry, sharded] of [
        ["arithmetic", LLAMA, models.decoderTiny, false],
        ["arithmetic", LLAMA, models.decoderTiny, true],
        ["digits", CLIP, models.vitTiny, false],
      ] as const
    ) {
      const path = `${folder}/${task}-${sharded}`, before = gpu.memory.liveBytes;
      await writeModel(path, json, entry, { sharded });
      const config = { ...base, task: { ...base.task, id: task } };
      const own = await train(gpu, { ...config, model: { id: entry.id } });
      const theirs = await train(gpu, { ...config, model: { id: "mine", path } });
      assertEquals(found(theirs), found(own));
      assertEquals(gpu.memory.liveBytes, before);
      assertEquals<unknown>(RunResult.parse(JSON.parse(JSON.stringify(theirs))), theirs);
      const { fingerprint, ...model } = theirs.config.model;
      assertEquals(model, { id: "mine", path });
      assert(/^[0-9a-f]{64}$/.test(fingerprint!));
      // A registered name may be given to what has its sizes, and only to that.
      assertEquals(found(await train(gpu, { ...config, model: { id: entry.id, path } })), found(own));
    }
  });
});

test("train() names runs by what is in the folder: not by its place, and otherwise with other weights", async () => {
  const gpu = await testGpu();
  await inFolder(async (folder) => {
    const [first, second, other] = ["first", "second", "other"].map((name) => `${folder}/${name}`);
    await writeModel(first!, LLAMA, models.decoderTiny);
    await writeModel(second!, LLAMA, models.decoderTiny);
    const change = (tensors: Map<string, WritableTensor>) => {
      tensors.get("model.norm.weight")!.data[3]! += 2 ** -10;
      return tensors;
    };
    await writeModel(other!, LLAMA, models.decoderTiny, { change });
    const idOf = async (path: string) =>
      (await train(gpu, { ...base, steps: 1, model: { id: "mine", path } })).id;
    const id = await idOf(first!);
    assertEquals(await idOf(second!), id);
    assertNotEquals(await idOf(other!), id);

    const noted = await withModelFingerprint({ ...base, model: { id: "mine", path: first! } });
    assertEquals(await withModelFingerprint(noted), noted);
    await Deno.copyFile(`${other}/model.safetensors`, `${first}/model.safetensors`);
    await assertRejects(
      () => train(gpu, noted),
      UserError,
      `Cannot use model "mine" from ${first}: its files changed, their fingerprint is `,
    );
  });
});

test("train() refuses what does not fit, by name and before the GPU is used", async () => {
  const gpu = await testGpu(), before = gpu.memory.liveBytes;
  await inFolder(async (folder) => {
    await writeModel(`${folder}/small`, LLAMA, models.decoderTiny);
    const larger = { ...LLAMA, vocab_size: 57 };
    await writeModel(`${folder}/larger`, larger, models.decoderTiny, {
      change(tensors) {
        for (const name of ["model.embed_tokens.weight", "lm_head.weight"]) {
          tensors.set(name, { shape: [57, 64], data: new Float32Array(57 * 64) });
        }
        return tensors;
      },
    });
    await writeModel(`${folder}/torn`, larger, models.decoderTiny);
    await writeModel(`${folder}/mamba`, { ...LLAMA, model_type: "mamba" }, models.decoderTiny);
    await Deno.mkdir(`${folder}/empty`);
    await Deno.mkdir(`${folder}/broken`);
    await Deno.writeTextFile(`${folder}/broken/config.json`, "{");
    const refused = async (
      model: RunConfig["model"],
      kind: new (reason: string) => Error,
      reason: string,
      task = "arithmetic",
    ) => {
      const config = { ...base, task: { ...base.task, id: task }, model };
      await assertRejects(() => train(gpu, config), kind, reason);
      assertEquals(gpu.memory.liveBytes, before);
    };
    const at = (name: string, id = "mine") => ({ id, path: `${folder}/${name}` });
    await refused(
      at("larger"),
      UserError,
      'Cannot train model "mine" (decoder, 57 outputs, inputs to 80) on task "arithmetic": it needs decoder, 56 and',
    );
    await refused(
      at("small"),
      UserError,
      'Cannot train model "mine" on task "digits": it is a decoder model',
      "digits",
    );
    await refused(at("torn"), CheckpointError, 'Cannot take tensor "model.embed_tokens.weight" [57,64]');
    await refused(at("mamba"), CheckpointError, 'its model_type is "mamba", known are llama, mistral');
    await refused(at("empty"), CheckpointError, "it has neither config.json nor open_clip_config.json");
    await refused(at("none"), CheckpointError, 'none": there is no such folder');
    await refused(at("none", "t5-tiny"), UserError, '"t5-tiny", which the harness has, is named in a sweep');
    await refused(at("torn/config.json"), CheckpointError, "it is a file, a folder is needed");
    await refused(at("torn/config.json/no"), CheckpointError, "there is no such folder");
    await refused(at("broken"), CheckpointError, 'config.json": it is not valid JSON');
    await refused(
      at("larger", "decoder-tiny"),
      UserError,
      `Cannot use ${folder}/larger as model "decoder-tiny": "model.embed_tokens.weight" is [57, 64] there, [56, 64] is needed`,
    );
    await refused(at("small", "t5-base"), UserError, "it is a decoder model, encoder-decoder is needed");
    await refused({ ...at("small"), width: 32 }, UserError, 'Cannot resize "mine": its weights, from ');
    await refused(
      { id: "decoder-tiny", fingerprint: "0".repeat(64) },
      UserError,
      "it has a fingerprint, but no path",
    );
    await refused({ id: "mine" }, UserError, 'Cannot find model "mine": known are ');
  });
});

test("readModelFolder() finds family, sizes and target modules by the config, and reads no weights for that", async () => {
  await inFolder(async (folder) => {
    await writeModel(folder, LLAMA, models.decoderTiny);
    const { family, size, parameters, outputs, inputSize, folder: from, pretrained, ...rest } =
      await readModelFolder(folder, "mine");
    const wanted = models.decoderTiny;
    assertEquals({ family, size, parameters, outputs, inputSize }, {
      family: wanted.family,
      size: wanted.size,
      parameters: wanted.parameters,
      outputs: wanted.outputs,
      inputSize: wanted.inputSize,
    });
    assertEquals([from, pretrained, rest.targetModules()], [folder, true, wanted.targetModules()]);
    const known = await withModelFolders([
      { model: { id: "mine", path: folder } },
      { model: { id: "yours", path: folder } },
      { model: { id: "mine", path: folder } },
      { model: { id: "decoder-tiny" } },
    ], models);
    assertEquals(Object.keys(known).length, Object.keys(models).length + 2);
  });
});
