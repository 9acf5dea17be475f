import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CheckpointError } from "./checkpoint.ts";
import { writeSafetensors } from "./write_safetensors.ts";
import { checkpointWeights, readCheckpointFolder } from "./checkpoint_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(FILES);

const tensor = (...values: number[]) => ({ shape: [values.length], data: Float32Array.from(values) });

/** A folder of files for as long as `body` runs: tensors by file, or text. */
async function withFolder(
  files: Readonly<Record<string, Readonly<Record<string, number[]>> | string>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [file, content] of Object.entries(files)) {
      const path = `${folder}/${file}`;
      if (typeof content === "string") await Deno.writeTextFile(path, content);
      else {
        const tensors = Object.entries(content).map(([name, values]) => [name, tensor(...values)] as const);
        await writeSafetensors(path, new Map(tensors));
      }
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const INDEX = "model.safetensors.index.json";
const first = "model-00001-of-00002.safetensors", second = "model-00002-of-00002.safetensors";
const index = (map: unknown) => JSON.stringify({ metadata: { total_size: 16 }, weight_map: map });

test("readCheckpointFolder() reads a whole file, and prefers it to shards", async () => {
  await withFolder({ "model.safetensors": { a: [1, 2] }, [INDEX]: "no index" }, async (folder) => {
    const { tensors } = await readCheckpointFolder(folder);
    assertEquals([...tensors].map(([name, { data }]) => [name, [...data]]), [["a", [1, 2]]]);
  });
});

test("readCheckpointFolder() reads shards by their index, and of each what the index says", async () => {
  const files = {
    [first]: { a: [1, 2], stale: [9] },
    [second]: { b: [3], stale: [8] },
    [INDEX]: index({ b: second, a: first, stale: second }),
  };
  await withFolder(files, async (folder) => {
    const checkpoint = await readCheckpointFolder(folder), weights = checkpointWeights(checkpoint);
    assertEquals([...checkpoint.tensors.keys()].toSorted(), ["a", "b", "stale"]);
    assertEquals(weights("a", [2]), Float32Array.of(1, 2));
    assertEquals(weights("b", [1]), Float32Array.of(3));
    assertEquals(weights("stale", [1]), Float32Array.of(8));
    assertThrows(() => weights("c", [1]), CheckpointError, `from "${folder}": there is none of that name`);
    assertThrows(() => weights("a", [3]), CheckpointError, "there it has the shape [2]");
  });
});

test("readCheckpointFolder() refuses folders without weights, broken indices, missing files and tensors, and ways out", async () => {
  const refusals: [Parameters<typeof withFolder>[0], string][] = [
    [{}, "it has neither model.safetensors nor model.safetensors.index.json"],
    [{ "pytorch_model.bin": "" }, "pytorch_model.bin is a program's memory, which is not read"],
    [{ [INDEX]: "{" }, "it is not valid JSON"],
    [{ [INDEX]: "[]" }, "its weight_map does not name a file for each tensor"],
    [{ [INDEX]: index({ a: 1 }) }, "its weight_map does not name a file for each tensor"],
    [{ [INDEX]: index({}) }, "its weight_map is empty"],
    [{ [INDEX]: index({ a: first }) }, `/${first}": there is no such file or folder`],
    [
      { [INDEX]: index({ a: first }), [first]: { b: [1] } },
      `${INDEX} says that tensor "a" is in "${first}", which lacks it`,
    ],
    [{ [INDEX]: index({ a: first }), [first]: "text" }, "the header's length"],
    ...["../x.safetensors", "/x.safetensors", "a\\b.safetensors", "weights.bin", ".safetensors/.."].map((
      file,
    ): [Parameters<typeof withFolder>[0], string] => [
      { [INDEX]: index({ a: file }) },
      `tensor "a" is in ${JSON.stringify(file)}, the name of a safetensors file in the folder is needed`,
    ]),
  ];
  for (const [files, reason] of refusals) {
    await withFolder(files, async (folder) => {
      await assertRejects(() => readCheckpointFolder(folder), CheckpointError, reason);
    });
  }
  await assertRejects(() => readCheckpointFolder("/no/such/folder"), CheckpointError, "it has neither");
});

test("checkpointWeights() finds T5's embedding under whichever of its names a file has, the shared one first", async () => {
  const embedding = (files: Record<string, number[]>) => async (wanted: number[] | null) =>
    await withFolder({ "model.safetensors": files }, async (folder) => {
      const weights = checkpointWeights(await readCheckpointFolder(folder));
      if (wanted) assertEquals(weights("shared.weight", [1]), Float32Array.from(wanted));
      else {assertThrows(
          () => weights("shared.weight", [1]),
          CheckpointError,
          'Cannot take tensor "shared.weight"',
        );}
    });
  await embedding({ "decoder.embed_tokens.weight": [1], "shared.weight": [2] })([2]);
  await embedding({ "encoder.embed_tokens.weight": [3] })([3]);
  await embedding({ "decoder.embed_tokens.weight": [4] })([4]);
  await embedding({ "lm_head.weight": [5] })(null);
});
