import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { CLIP, writeModel } from "../../tests/support/model_writer.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { CheckpointError } from "./checkpoint.ts";
import { readImageInput } from "./image_input.ts";
import * as models from "../mod.ts";
import { fingerprintModel, readModelFolder } from "./model_folder.ts";

const test = testNeeding(FILES);

const FILE = "preprocessor_config.json";

test("readImageInput() takes the folder's own constants, else those given, else CLIP's, or -1 to 1 for grey", async () => {
  const own = { image_mean: [0.1, 0.2, 0.3], image_std: [1, 2, 3], size: { shortest_edge: 224 } };
  await withDataFolder({
    [`own/${FILE}`]: JSON.stringify(own),
    [`raw/${FILE}`]: JSON.stringify({ ...own, do_normalize: false }),
    [`silent/${FILE}`]: "{}",
    "none/config.json": "{}",
  }, async (folder) => {
    const clip = {
      channels: 3,
      mean: [0.48145466, 0.4578275, 0.40821073],
      deviation: [0.26862954, 0.26130258, 0.27577711],
    };
    const given = { image_mean: [0.5, 0.5, 0.5], image_std: [0.25, 0.25, 0.25] };
    const read = async (name: string, channels = 3, other?: unknown) =>
      await readImageInput(`${folder}/${name}`, channels, other);
    assertEquals<unknown>(await read("own", 3, given), {
      channels: 3,
      mean: [0.1, 0.2, 0.3],
      deviation: [1, 2, 3],
    });
    assertEquals<unknown>(await read("raw"), { channels: 3, mean: [0, 0, 0], deviation: [1, 1, 1] });
    assertEquals<unknown>([await read("silent"), await read("none")], [clip, clip]);
    assertEquals<unknown>(await read("none", 3, given), {
      channels: 3,
      mean: given.image_mean,
      deviation: given.image_std,
    });
    assertEquals<unknown>(await read("none", 1), { channels: 1, mean: [0.5], deviation: [0.5] });
  });
});

test("readImageInput() refuses what is cut short or of other channels, and names the file", async () => {
  for (
    const [content, channels, reason] of [
      ['{"image_mean": [0.5', 3, "it is not valid JSON"],
      ["[]", 3, "the whole is [], a value of type object is needed"],
      ['{"image_mean": "CLIP"}', 3, 'image_mean is "CLIP", a value of type array is needed'],
      ['{"image_std": [1, 0, 1]}', 3, "image_std.1 is 0, a number above 0 is needed"],
      ['{"image_mean": [0.5, 0.5, 0.5]}', 1, "image_mean has 3 numbers, 1 are needed"],
      ['{"image_std": [0.5]}', 3, "image_std has 1 numbers, 3 are needed"],
    ] as const
  ) {
    await withDataFolder({ [FILE]: content }, async (folder) => {
      await assertRejects(
        () => readImageInput(folder, channels, undefined),
        CheckpointError,
        `Cannot read ${folder}/${FILE}: ${reason}`,
      );
    });
  }
  await assertRejects(
    () => readImageInput("some", 2, undefined),
    CheckpointError,
    'Cannot read model "some": its images have 2 channels, 1 or 3 are needed',
  );
});

test("fingerprintModel() tells folders apart by their image constants", async () => {
  await withDataFolder({ "other/note": "" }, async (folder) => {
    await writeModel(folder, CLIP, models.vitTiny);
    const before = await fingerprintModel(folder);
    assertEquals((await readModelFolder(folder, "mine")).image?.mean, [0.5]);
    await Deno.writeTextFile(`${folder}/${FILE}`, JSON.stringify({ image_mean: [0.25] }));
    assertEquals((await readModelFolder(folder, "mine")).image?.mean, [0.25]);
    assertNotEquals(await fingerprintModel(folder), before);
  });
});
