import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { take } from "../models/checkpoints/checkpoint.ts";
import { readSafetensors } from "../models/checkpoints/read_safetensors.ts";
import { encodeSafetensors } from "../models/checkpoints/write_safetensors.ts";
import { readModelFolder } from "../models/checkpoints/model_folder.ts";
import * as models from "../models/mod.ts";
import { createRandom } from "../numerics/random.ts";
import { digits } from "../tasks/images/digits.ts";
import { imageFiles } from "../tests/support/clip_folder.ts";
import { withDataFolder } from "../tests/support/data_folder.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { FILES, testNeeding } from "../tests/support/test_needing.ts";
import { pretrain } from "./pretrain.ts";
import { train } from "./train.ts";
import { UserError } from "../errors/user_error.ts";
import { inFolder } from "../tests/support/in_folder.ts";

const test = testNeeding(FILES);

for (const entry of Object.values(models).filter(({ recipe }) => recipe)) {
  test(`pretrain() writes the same bytes twice for ${entry.id}: a checkpoint that fits and tells its recipe`, () =>
    inFolder(async (folder) => {
      const gpu = await testGpu();
      const before = gpu.memory.liveBytes;
      const [first, second] = [`${folder}/first.safetensors`, `${folder}/second.safetensors`];
      const made = await pretrain(gpu, entry.id, { out: first, steps: 2 });
      assertEquals(gpu.memory.liveBytes, before);
      assertEquals(await pretrain(gpu, entry.id, { out: second, steps: 2 }), { ...made, path: second });
      assertEquals(await Deno.readFile(first), await Deno.readFile(second));

      const checkpoint = await readSafetensors(first);
      assertEquals(
        [...checkpoint.tensors.keys()].toSorted(),
        entry.parameters.map(({ name }) => name).toSorted(),
      );
      const start = entry.initial(createRandom(entry.recipe!.seed).fork("weights"));
      let moved = 0;
      const tensors = new Map(entry.parameters.map(({ name, shape }) => {
        const data = take(checkpoint, name, shape), initial = start(name, shape);
        assert(data.every(Number.isFinite), name);
        if (data.some((value, i) => Math.abs(value - initial[i]!) > 1e-3 * Math.abs(initial[i]!) + 1e-6)) {
          moved++;
        }
        return [name, { shape, data, dtype: "F16" as const }];
      }));
      assertGreater(moved, entry.parameters.length / 2);

      const { metadata } = checkpoint;
      assertEquals(metadata["model"], entry.id);
      assertEquals(JSON.parse(metadata["recipe"]!), { ...entry.recipe, steps: 2 });
      assertEquals(metadata["adapter"], gpu.info.adapter);
      assertAlmostEquals(Number(metadata["score"]), made.score, 1e-12);
      assertEquals(Number(metadata["validationLoss"]), made.validationLoss);
      // The hash is that of the tensors without metadata, so a file can be checked against it.
      const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", encodeSafetensors(tensors)));
      assertEquals([metadata["sha256"], made.hash], [bytes.toHex(), bytes.toHex()]);
    }));
}

test("pretrain() makes a tower of one set of real images, from which runs on another set begin", async () => {
  const gpu = await testGpu(), before = gpu.memory.liveBytes;
  const files = {
    ...imageFiles("first", ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"], 4),
    ...imageFiles("second", ["fox", "ox", "yak"], 10),
  };
  await withDataFolder(files, async (folder) => {
    const images = { data: `${folder}/first`, trainExamples: 30, validationExamples: 3 };
    const made = await pretrain(gpu, "vit-tiny", { out: `${folder}/base`, steps: 2, images });
    const again = await pretrain(gpu, "vit-tiny", { out: `${folder}/again`, steps: 2, images });
    assertEquals(again, { ...made, path: `${folder}/again` });
    const { metadata } = await readSafetensors(`${folder}/base/model.safetensors`);
    assertEquals(metadata["dataSha256"], await digits.realData!.fingerprint(images.data));
    assertEquals(JSON.parse(metadata["recipe"]!), {
      ...models.vitTiny.recipe,
      task: "digits",
      steps: 2,
    });

    // The folder is a model as any other: of vit-tiny's sizes, with the first set's eleven classes.
    const entry = await readModelFolder(`${folder}/base`, "mine");
    assertEquals(entry.vision, { ...models.vitTiny.vision!, outputs: 11 });
    assertEquals(entry.image, { channels: 1, mean: [0.5], deviation: [0.5] });
    const run = (path: string) =>
      train(gpu, {
        schema: 1,
        task: {
          id: "digits",
          data: `${folder}/second`,
          trainExamples: 20,
          validationExamples: 3,
          testExamples: 3,
        },
        model: { id: "mine", path },
        targetModules: ["*"],
        optimizer: { id: "lora", options: { rank: 2 } },
        steps: 1,
        batchSize: 4,
        accumulate: 1,
        schedule: { kind: "constant", learningRate: 1e-3, warmup: 0, floor: 1 },
        clip: 1,
        validateEvery: 1,
        telemetryEvery: 0,
        scoreOn: "test",
        seed: 0,
      });
    const [own, moved] = [await run(`${folder}/base`), await run(`${folder}/again`)];
    assert(own.status === "done" && moved.status === "done");
    assertEquals(own.config.model.head, "new");
    assertEquals([moved.id, moved.outcome.trainLoss], [own.id, own.outcome.trainLoss]);
    // A base of other images is another run.
    const others = { ...images, data: `${folder}/second`, trainExamples: 20 };
    await pretrain(gpu, "vit-tiny", { out: `${folder}/again`, steps: 2, images: others });
    const other = await run(`${folder}/again`);
    assert(other.status === "done" && other.id !== own.id);
    assertNotEquals(other.outcome.trainLoss, own.outcome.trainLoss);
    assertEquals(gpu.memory.liveBytes, before);
  });
});

Deno.test("pretrain() refuses real images for models of texts, without a path and without a folder to write to", async () => {
  const gpu = await testGpu();
  for (
    const [model, options, reason] of [
      ["decoder-tiny", { images: { data: "some" }, out: "out" }, "it takes no images"],
      ["vit-tiny", { images: {}, out: "out" }, "a folder or a file with them is needed, --data DIR"],
      ["vit-tiny", { images: { data: "some" } }, "a folder for the checkpoint is needed, --out DIR"],
    ] as const
  ) {
    await assertRejects(
      () => pretrain(gpu, model, { steps: 1, ...options }),
      UserError,
      `Cannot pretrain "${model}" on real images: ${reason}`,
    );
  }
});

Deno.test("pretrain() refuses a model that is not in the registry, with the known ones", async () => {
  const gpu = await testGpu();
  await assertRejects(
    () => pretrain(gpu, "vit-huge", { steps: 1 }),
    UserError,
    'Cannot find model "vit-huge": known are ',
  );
});
