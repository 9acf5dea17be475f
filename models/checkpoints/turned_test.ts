import { assertEquals } from "@std/assert";
import { inFolder } from "../../tests/support/in_folder.ts";
import { fixture } from "../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { writeMerged } from "../../training/export/merge.ts";
import type { LowRankChange } from "../adapters/low_rank_change.ts";
import { checkpointWeights, readCheckpointFolder } from "./checkpoint_folder.ts";
import { readModelFolder } from "./model_folder.ts";
import { readSafetensors } from "./read_safetensors.ts";
import { isTurned, turnedData } from "./turned.ts";
import { writeSafetensors } from "./write_safetensors.ts";

const test = testNeeding(FILES);
const folder = fixture("hf/tiny-gpt2");

test("writeMerged() writes GPT-2's maps as its files have them, and what an adapter changes in them", async () => {
  const theirs = await readSafetensors(`${folder}/model.safetensors`);
  const entry = await readModelFolder(folder, "gpt2"), path = "transformer.h.0.attn.c_attn";
  const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => i % 7 - 3);
  const change: LowRankChange = {
    ...{ path, scale: 0.5 },
    a: { shape: [1, 32], data: numbers(32) },
    b: { shape: [96, 1], data: numbers(96) },
  };
  await inFolder(async (to) => {
    await writeMerged(to, entry, [{ changes: [change], whole: new Map() }]);
    const { tensors } = await readSafetensors(`${to}/model.safetensors`);
    assertEquals([...tensors.keys()].toSorted(), [...theirs.tensors.keys()].toSorted());
    for (const [name, { shape, data }] of tensors) {
      const before = theirs.tensors.get(name)!;
      assertEquals(shape, before.shape, name);
      // W is [in, out] there: (B A) transposed is added.
      const wanted = name === `${path}.weight`
        ? before.data.map((w, i) => w + 0.5 * change.a.data[Math.floor(i / 96)]! * change.b.data[i % 96]!)
        : before.data;
      assertEquals(data, wanted, name);
    }
  });
});

test("readModelFolder() takes GPT-2's first files, without a prefix and with masks among the tensors", async () => {
  const { tensors } = await readSafetensors(`${folder}/model.safetensors`);
  await inFolder(async (to) => {
    await Deno.copyFile(`${folder}/config.json`, `${to}/config.json`);
    const old = new Map(
      Array.from(
        tensors,
        ([name, { shape, data }]) => [name.replace("transformer.", ""), { shape, data }] as const,
      ),
    );
    for (const layer of [0, 1]) {
      old.set(`h.${layer}.attn.bias`, { shape: [1, 1, 2, 2], data: Float32Array.of(1, 0, 1, 1) });
      old.set(`h.${layer}.attn.masked_bias`, { shape: [], data: Float32Array.of(-1e4) });
    }
    await writeSafetensors(`${to}/model.safetensors`, old);
    const entry = await readModelFolder(to, "gpt2");
    const weights = checkpointWeights(await readCheckpointFolder(to));
    for (const { name, shape } of entry.parameters) {
      const { data } = tensors.get(name)!, wanted = isTurned(name) ? turnedData(data, shape[1]!) : data;
      assertEquals(weights(name, shape), wanted, name);
    }
  });
});
