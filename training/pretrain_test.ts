import { assert, assertAlmostEquals, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { encodeSafetensors, readSafetensors, take } from "../models/checkpoint.ts";
import * as models from "../models/mod.ts";
import { createRandom } from "../numerics/random.ts";
import { testGpu } from "../tests/test_gpu.ts";
import { pretrain } from "./pretrain.ts";
import { UserError } from "./user_error.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const entry of Object.values(models).filter(({ recipe }) => recipe)) {
  Deno.test(`pretrain() writes the same bytes twice for ${entry.id}: a checkpoint that fits and tells its recipe`, () =>
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
      const hash = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      assertEquals([metadata["sha256"], made.hash], [hash, hash]);
    }));
}

Deno.test("pretrain() refuses a model that is not in the registry, with the known ones", async () => {
  const gpu = await testGpu();
  await assertRejects(
    () => pretrain(gpu, "vit-huge", { steps: 1 }),
    UserError,
    'Cannot find model "vit-huge": known are ',
  );
});
