import { assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
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
  const own = { image_mean: [0.1, 0.2, 0.3], image_std: [1, 2, 3], size: { shortest_edge: 8 } };
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
      (await readImageInput(`${folder}/${name}`, { side: 8, channels }, other)).input;
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

test("readImageInput() takes sizes, filters and scales as each processor of Hugging Face's has them", async () => {
  const half = [0.5, 0.5, 0.5], vit = { image_processor_type: "ViTImageProcessor" };
  const stretched = (filter: string) => ({ shorter: 8, isStretched: true, filter });
  const cases: [unknown, object][] = [
    // google/vit-base-patch16-224, with and without its type, and as it was before.
    [{ ...vit, resample: 2, size: { height: 8, width: 8 }, rescale_factor: 0.00392156862745098 }, {
      mean: half,
      deviation: half,
      resize: stretched("bilinear"),
    }],
    [{ size: 8, image_mean: half, image_std: half }, { mean: half, resize: stretched("bilinear") }],
    [{ feature_extractor_type: "ViTFeatureExtractor" }, { mean: half, resize: stretched("bilinear") }],
    [{ ...vit, resample: 0 }, { resize: stretched("nearest") }],
    [{ image_processor_type: "SiglipImageProcessorFast", resample: 3 }, { resize: stretched("bicubic") }],
    // facebook/dinov2-base: a part is cut out.
    [{ image_processor_type: "BitImageProcessor", size: { shortest_edge: 10 }, crop_size: 8, resample: 3 }, {
      resize: { shorter: 10, filter: "bicubic" },
    }],
    [{ image_processor_type: "DeiTImageProcessor", size: { height: 10, width: 10 }, crop_size: 8 }, {
      resize: { shorter: 10, isStretched: true, filter: "bicubic" },
    }],
    // openai/clip-vit-base-patch32.
    [{ feature_extractor_type: "CLIPFeatureExtractor", size: 8, crop_size: 8, resample: 3 }, {
      mean: [0.48145466, 0.4578275, 0.40821073],
      resize: undefined,
    }],
    // (x - 127.5) / 51 is (x / 255 - 0.5) / 0.2.
    [{ ...vit, do_rescale: false, image_mean: [127.5, 127.5, 127.5], image_std: [51, 51, 51] }, {
      mean: half,
      deviation: [0.2, 0.2, 0.2],
    }],
    [{ ...vit, rescale_factor: 2 / 255, do_normalize: false }, { mean: [0, 0, 0], deviation: half }],
  ];
  for (const [json, wanted] of cases) {
    await withDataFolder({ [FILE]: JSON.stringify(json) }, async (folder) => {
      const { input, side } = await readImageInput(folder, { side: 8, channels: 3 }, vit);
      assertEquals(side, 8);
      for (const [name, value] of Object.entries(wanted)) {
        assertEquals<unknown>(input[name as keyof typeof input], value, `${name} of ${JSON.stringify(json)}`);
      }
    });
  }
});

test("readImageInput() refuses what is not done here by name and value", async () => {
  const cases: [unknown, string][] = [
    [{ resample: 1 }, "resample is 1, 0 (nearest), 2 (bilinear) or 3 (bicubic) is needed"],
    [{ resample: "bicubic" }, 'resample is "bicubic", '],
    [{ do_resize: false }, "do_resize is false, true is needed: images are resized"],
    [{ do_pad: true }, "do_pad is true, false is needed"],
    [
      { image_processor_type: "ConvNextImageProcessor" },
      'image_processor_type is "ConvNextImageProcessor", one of',
    ],
    [{ image_processor_type: "constructor" }, 'image_processor_type is "constructor", one of'],
    [
      { size: { shortest_edge: 8, longest_edge: 9 } },
      'size has the field "longest_edge", which is not known here',
    ],
    [{ size: { height: 8, width: 16 } }, "size is 16 by 8 pixels, a square is needed"],
    [{ size: { height: 16, width: 16 } }, "size is 16 pixels, the 8 of the model are needed"],
    [{ size: { shortest_edge: 8 } }, "do_center_crop is false where only the shorter side has a size"],
    [{ do_center_crop: true, size: 4, crop_size: 8 }, "size is 4 pixels, at least the 8 that are cut"],
    [{ do_center_crop: true, crop_size: 9 }, "crop_size is 9 pixels, the 8 of the model are needed"],
    [{ rescale_factor: 0 }, "rescale_factor is 0, a number above 0 is needed"],
  ];
  for (const [json, reason] of cases) {
    await withDataFolder({ [FILE]: JSON.stringify(json) }, async (folder) => {
      const { message } = await assertRejects(
        () => readImageInput(folder, { side: 8, channels: 3 }, { image_processor_type: "ViTImageProcessor" }),
        CheckpointError,
      );
      assertStringIncludes(message, `Cannot read ${folder}/${FILE}: ${reason}`);
    });
  }
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
        () => readImageInput(folder, { side: 8, channels }, undefined),
        CheckpointError,
        `Cannot read ${folder}/${FILE}: ${reason}`,
      );
    });
  }
  await assertRejects(
    () => readImageInput("some", { side: 8, channels: 2 }, undefined),
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
