import { assert, assertEquals, assertRejects } from "@std/assert";
import { encode as encodePng } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import { optdigitsFile, withDataFolder } from "../../tests/support/data_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { DataError } from "../data/data_error.ts";
import { digits } from "./digits.ts";
import { scoredTogether } from "./image_data.ts";

const test = testNeeding(FILES);

const amounts = { seed: 0, trainExamples: 20, validationExamples: 4, testExamples: 5 };
const colours = { channels: 3, mean: [0.1, 0.2, 0.3], deviation: [0.5, 0.25, 2] } as const;
const grey = { channels: 1, mean: [0.5], deviation: [0.5] } as const;
const modelOf = (inputSize: number, image: typeof colours | typeof grey) => ({
  outputs: 512,
  inputSize,
  image,
});

/** A flat image of a colour. */
const flat = (width: number, height: number, colour: readonly number[]) =>
  encodePng({
    width,
    height,
    channels: colour.length,
    depth: 8,
    data: Uint8Array.from({ length: width * height * colour.length }, (_, i) => colour[i % colour.length]!),
  });

test("digits takes real images in a model's size, channels and scale, of all their classes, with their names", async () => {
  // Of 12 classes; colour and grey, smaller and larger than the model's, of which no two are equal.
  const files = Object.fromEntries(Array.from({ length: 48 }, (_, i) => {
    const colour = i % 2 ? [i, 2 * i, 255 - i] : [5 * i];
    return [`class_${String(i % 12).padStart(2, "0")}/${i}.png`, flat(3 + i, 5 + i % 4, colour)];
  }));
  await withDataFolder({ ...files, "class_03/torn.png": flat(4, 4, [9]).subarray(0, 30) }, async (path) => {
    const data = await digits.load({ ...amounts, testExamples: 4, data: path }, modelOf(8, colours));
    assertEquals(data.needs, { family: "vision", outputs: 12, inputSize: 8 });
    assertEquals(data.classes, Array.from({ length: 12 }, (_, i) => `class_${String(i).padStart(2, "0")}`));
    assertEquals(await digits.realData!.classNames!(path), data.classes);
    assertEquals(data.source!.records["train"]!.skipped, { "that cannot be decoded": 1 });
    const batch = data.trainBatch(1, 20);
    assert(batch.family === "vision");
    assertEquals(batch.pixels.shape, [20, 3, 8, 8]);
    for (let row = 0; row < 20; row++) {
      const image = batch.pixels.data.subarray(row * 192, (row + 1) * 192);
      const colour = colours.mean.map((mean, c) =>
        Math.round(255 * (image[64 * c]! * colours.deviation[c]! + mean))
      );
      const i = colour[1] === colour[0] ? colour[0]! / 5 : colour[0]!;
      assertEquals(colour, i % 2 ? [i, 2 * i, 255 - i] : [5 * i, 5 * i, 5 * i]);
      assertEquals(batch.targets.data[row], i % 12);
      assert([0, 1, 2].every((c) => new Set(image.subarray(64 * c, 64 * c + 64)).size === 1));
    }
    // The same files for another model.
    const other = (await digits.load({ ...amounts, testExamples: 4, data: path }, modelOf(5, grey)))
      .trainBatch(1, 3);
    assert(other.family === "vision");
    assertEquals(other.pixels.shape, [3, 1, 5, 5]);
    // Without a folder they are digits, and these have ten classes.
    await assertRejects(
      () => digits.load({ ...amounts, testExamples: 4, data: path }),
      DataError,
      "it has 12 classes, 10 at most are needed",
    );
  });
});

test("digits counts the classes of images without names, and scores all of a split in batches of bounded size", async () => {
  await withDataFolder({ "optdigits.tra": optdigitsFile(200, (i) => i % 13) }, async (path) => {
    const data = await digits.load(
      { ...amounts, trainExamples: 150, testExamples: 20, data: path },
      modelOf(400, colours),
    );
    assertEquals([data.needs.outputs, data.classes], [13, undefined]);
    assertEquals(await digits.realData!.classNames!(path), undefined);
    const sizes: number[] = [];
    const scores = await data.score(
      {
        classify(batch) {
          assert(batch.family === "vision");
          sizes.push(batch.pixels.shape[0]!);
          return Promise.resolve(batch.targets.data.slice());
        },
      } as Parameters<typeof data.score>[0],
      "test",
    );
    assertEquals([[...scores], sizes], [Array(20).fill(1), [4, 4, 4, 4, 4]]);
    assertEquals([...data.validationBatches(64)].map(({ targets }) => targets.shape[0]), [4]);
    assertEquals(scoredTogether({ side: 400, channels: 3 }), 4);
    assertEquals(scoredTogether({ side: 28, channels: 1 }), 128);
    assertEquals(scoredTogether({ side: 4000, channels: 3 }), 1);
  });
});

test("digits takes the names of Parquet's classes, and refuses an image of a class that has none", async () => {
  const info = { info: { features: { label: { names: ["zero", "one", "two"], _type: "ClassLabel" } } } };
  const file = (label: (i: number) => number) =>
    new Uint8Array(parquetWriteBuffer({
      columnData: [
        {
          name: "image",
          data: Array.from({ length: 50 }, (_, i) => flat(4, 4, [5 * i])),
          type: "BYTE_ARRAY",
        },
        { name: "label", data: Array.from({ length: 50 }, (_, i) => label(i)), type: "INT32" },
      ],
      kvMetadata: [{ key: "huggingface", value: JSON.stringify(info) }],
    }));
  for (const classes of [2, 4]) {
    await withDataFolder({ "train-00000-of-00001.parquet": file((i) => i % classes) }, async (data) => {
      const load = () => digits.load({ ...amounts, data }, modelOf(8, colours));
      if (classes === 2) {
        const { classes, needs } = await load();
        // A class may have no image.
        assertEquals([classes, needs.outputs], [["zero", "one", "two"], 3]);
      } else {
        await assertRejects(
          load,
          DataError,
          `${data} for "digits": it has an image of class 3, and names of 3`,
        );
      }
    });
  }
});

test("digits refuses images that are all of one class, and tells the score of the commonest of several", async () => {
  for (const model of [undefined, modelOf(8, colours)]) {
    await withDataFolder({ "optdigits.tra": optdigitsFile(60, () => 7) }, async (path) => {
      await assertRejects(
        () => digits.load({ ...amounts, data: path }, model),
        DataError,
        `Cannot use ${path} for "digits": all of its images are of class 7, two classes are needed`,
      );
    });
    const rare = (i: number) => i % 5 === 0 ? 1 : 3;
    await withDataFolder({ "optdigits.tra": optdigitsFile(200, rare) }, async (path) => {
      const loaded = await digits.load({ ...amounts, testExamples: 20, data: path }, model);
      const always = {
        classify: ({ targets }: { targets: { shape: readonly number[] } }) =>
          Promise.resolve(new Int32Array(targets.shape[0]!).fill(3)),
      };
      const scores = await loaded.score(always as unknown as Parameters<typeof loaded.score>[0], "test");
      const score = scores.reduce((sum, one) => sum + one, 0) / 20;
      assert(score > 0.5 && score < 1);
      assertEquals(loaded.commonest!("test"), score);
    });
  }
});
