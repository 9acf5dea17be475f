import { assert, assertEquals, assertRejects } from "@std/assert";
import { encode as encodePng } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import jpeg from "jpeg-js";
import { collect, gzip, withDataFolder } from "../../tests/support/data_folder.ts";
import { testOnPublic } from "../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import type { LabelledImage } from "./contents.ts";
import { DataError } from "./data_error.ts";
import { decodeImage } from "./image_file.ts";
import { readIdx } from "./idx.ts";
import { findData } from "./load.ts";
import { describeSkip, isSkip } from "../skip.ts";
import { resizeImage } from "./resize_image.ts";

const test = testNeeding(FILES);

function idxFile(shape: readonly number[], data: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(4 + 4 * shape.length + data.length);
  file.set([0, 0, 8, shape.length]);
  shape.forEach((size, axis) => new DataView(file.buffer).setUint32(4 + 4 * axis, size));
  file.set(Array.from(data), 4 + 4 * shape.length);
  return file;
}

async function imagesOf(path: string): Promise<Record<string, LabelledImage[]>> {
  const { parts } = await findData("vision", path);
  const found: Record<string, LabelledImage[]> = {};
  for (const { role, read } of parts) {
    found[role] = (await collect(read())).filter((image): image is LabelledImage => !isSkip(image));
  }
  return found;
}

test("IDX pairs are read, compressed or not, and images are not square by rule", async () => {
  const pixels = Array.from({ length: 12 }, (_, i) => 20 * i);
  await withDataFolder({
    "train-images-idx3-ubyte": idxFile([2, 2, 3], pixels),
    "train-labels-idx1-ubyte.gz": await gzip(idxFile([2], [7, 0])),
    "t10k-images.idx3-ubyte.gz": await gzip(idxFile([1, 2, 3], pixels.slice(6))),
    "t10k-labels.idx1-ubyte": idxFile([1], [9]),
  }, async (path) => {
    const { train, test } = await imagesOf(path);
    const image = { width: 3, height: 2, channels: 1 as const };
    assertEquals(train, [
      { ...image, pixels: Uint8Array.from(pixels.slice(0, 6)), label: 7 },
      { ...image, pixels: Uint8Array.from(pixels.slice(6)), label: 0 },
    ]);
    assertEquals(test, [{ ...image, pixels: Uint8Array.from(pixels.slice(6)), label: 9 }]);
  });
});

test("IDX files that are cut short, too long, of other types, without a partner or with another count are named", async () => {
  const whole = idxFile([2, 1, 2], [1, 2, 3, 4]);
  const faults: [Record<string, Uint8Array>, string][] = [
    [
      { "train-images-idx3-ubyte": whole },
      "train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz is needed beside it",
    ],
    [
      { "train-images-idx3-ubyte": whole.subarray(0, 19) },
      "it has 3 bytes behind its header, 4 are needed for [2, 1, 2]",
    ],
    [{ "train-images-idx3-ubyte": Uint8Array.of(...whole, 0) }, "it goes on behind the 4 bytes of [2, 1, 2]"],
    [{ "train-images-idx3-ubyte": whole.subarray(0, 7) }, "it ends within its header"],
    [{ "train-images-idx3-ubyte": whole.with(2, 0x0d) }, "its values are of type 0x0d, 0x08 is needed"],
    [{ "train-images-idx3-ubyte": Uint8Array.of(80, 75, 3, 4) }, "it does not begin as an IDX file does"],
    [
      { "train-images-idx3-ubyte": whole, "train-labels-idx1-ubyte": idxFile([3], [0, 0, 0]) },
      "its shape is [3], [2] is needed",
    ],
  ];
  for (const [files, message] of faults) {
    const withLabels = Object.keys(files).length > 1 || message.includes("beside")
      ? files
      : { ...files, "train-labels-idx1-ubyte": idxFile([2], [0, 1]) };
    await withDataFolder(withLabels, async (path) => {
      await assertRejects(() => imagesOf(path), DataError, message);
    });
  }
  await withDataFolder({ a: idxFile([0], []) }, async (path) => {
    assertEquals((await readIdx(`${path}/a`)).shape, [0]);
  });
});

test("CSV images: optdigits with the class last, others with the class first and perhaps a header", async () => {
  await withDataFolder({
    "a/optdigits.tes": "0,16,8,4,3\r\n\r\n16,0,0,0,1\r\n",
    "b/mnist_train.csv": "label,1x1,1x2,2x1,2x2\n5,0,128,255,1\n",
    "c/train.csv": "5,0,128,255,1\n",
  }, async (path) => {
    assertEquals((await imagesOf(`${path}/a`))["test"]!.map(({ label, pixels }) => [label, [...pixels]]), [
      [3, [0, 255, 128, 64]],
      [1, [255, 0, 0, 0]],
    ]);
    for (const folder of ["b", "c"]) {
      const [image] = (await imagesOf(`${path}/${folder}`))["train"]!;
      assertEquals([image!.label, [...image!.pixels]], [5, [0, 128, 255, 1]]);
    }
  });
  const faults: [string, string][] = [
    ["1,2,3,4,5\n1,2,3\n", "line 2 has 3 fields, 5 are needed"],
    ["1,2,3,4\n", "line 1 has 4 fields, the class and the pixels of a square are needed"],
    ["0,0,0,0,1\n0,0,0,17,1\n", "line 2 has a value that is no number from 0 to 16"],
    ["0,0,0,x,1\n", "line 1 has a value that is no number"],
    ["0,0,0,0,1.5\n", "line 1 has no class"],
  ];
  for (const [text, message] of faults) {
    await withDataFolder({ "optdigits.tra": text }, async (path) => {
      await assertRejects(() => imagesOf(path), DataError, message);
    });
  }
});

testOnPublic(["optdigits"], "the real optdigits are read whole: 1,797 images, ten classes", async (path) => {
  const { test } = await imagesOf(path);
  assertEquals([test!.length, new Set(test!.map(({ label }) => label)).size], [1797, 10]);
  assert(test!.every(({ width, height }) => width === 8 && height === 8));
});

Deno.test("decodeImage() reads grey, colour, opacity, 16-bit and few-bit PNG, and JPEG grey or not", async () => {
  const png = (channels: number, data: readonly number[], depth: 8 | 16 = 8) =>
    encodePng({
      width: 2,
      height: 1,
      channels,
      depth,
      data: depth === 8 ? Uint8Array.from(data) : Uint16Array.from(data),
    });
  const pixelsOf = async (bytes: Uint8Array) => {
    const { channels, pixels } = await decodeImage(bytes);
    return [channels, ...pixels];
  };
  assertEquals(await pixelsOf(png(1, [0, 200])), [1, 0, 200]);
  assertEquals(await pixelsOf(png(2, [100, 255, 100, 0])), [1, 100, 0]);
  assertEquals(await pixelsOf(png(3, [1, 2, 3, 4, 5, 6])), [3, 1, 2, 3, 4, 5, 6]);
  assertEquals(await pixelsOf(png(4, [1, 2, 3, 255, 200, 100, 50, 51])), [3, 1, 2, 3, 40, 20, 10]);
  assertEquals(await pixelsOf(png(1, [0, 65535], 16)), [1, 0, 255]);
  const bits = encodePng({
    width: 10,
    height: 2,
    channels: 1,
    depth: 1,
    data: Uint8Array.of(0b10101010, 0b11000000, 0, 0b01000000),
  });
  assertEquals(await pixelsOf(bits), [
    1,
    ...[1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].map((bit) => 255 * bit),
  ]);
  const flat = (r: number, g: number, b: number) =>
    jpeg.encode({
      width: 9,
      height: 7,
      data: Uint8Array.from({ length: 9 * 7 * 4 }, (_, i) => [r, g, b, 255][i % 4]!),
    }, 95).data;
  const grey = await decodeImage(flat(90, 90, 90)), red = await decodeImage(flat(200, 30, 30));
  assertEquals([grey.width, grey.height, grey.channels], [9, 7, 1]);
  assert(grey.pixels.every((value) => Math.abs(value - 90) <= 2));
  assertEquals(red.channels, 3);
  assert(Math.abs(red.pixels[0]! - 200) < 6 && Math.abs(red.pixels[1]! - 30) < 6);
  await assertRejects(() => decodeImage(png(1, [0, 1]).subarray(0, 40)));
  await assertRejects(() => decodeImage(Uint8Array.of(1, 2, 3)), Error, "it is neither PNG nor JPEG");
});

test("folders of PNG and JPEG: classes by name, numbers in their order, splits around them, broken files skipped", async () => {
  const png = (value: number) =>
    encodePng({ width: 1, height: 1, channels: 1, depth: 8, data: Uint8Array.of(value) });
  await withDataFolder({
    "train/10/a.png": png(10),
    "train/2/a.PNG": png(2),
    "train/2/b.png": png(3).subarray(0, 30),
    "test/10/c.jpg": jpeg.encode({ width: 1, height: 1, data: Uint8Array.of(9, 9, 9, 255) }, 90).data,
    "train/readme.txt": "no image",
    "train/stray.png": png(1),
  }, async (path) => {
    const { parts, classes } = await findData("vision", path);
    assertEquals(classes, ["2", "10"]);
    const train = await collect(parts.find(({ role }) => role === "train")!.read());
    assertEquals(
      train.map((image) => isSkip(image) ? describeSkip(image.skip) : [image.label, image.pixels[0]]),
      [
        [1, 10],
        [0, 2],
        "that cannot be decoded",
      ],
    );
    assertEquals((await imagesOf(path))["test"]!.map(({ label }) => label), [1]);
  });
  await withDataFolder({ "cat/a.png": png(1), "dog/a.png": png(2) }, async (path) => {
    assertEquals((await imagesOf(path))["train"]!.map(({ label, pixels }) => [label, pixels[0]]), [[0, 1], [
      1,
      2,
    ]]);
  });
});

test("a folder whose images are all of one class is refused, with the class and the list that is not read", async () => {
  const png = (value: number) =>
    encodePng({ width: 1, height: 1, channels: 1, depth: 8, data: Uint8Array.of(value) });
  const images = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`images/${i}.png`, png(i)]));
  const one = 'are of one class, "images", as folders name the classes and two are needed';
  await withDataFolder({ ...images, "labels.csv": "file,label\n0.png,cat\n" }, async (path) => {
    await assertRejects(
      () => imagesOf(path),
      DataError,
      `Cannot use the images in ${path}: all 30 ${one}; labels.csv is not read`,
    );
  });
  await withDataFolder({ "train/images/1.png": png(1), "test/images/2.png": png(2) }, async (path) => {
    await assertRejects(() => imagesOf(path), DataError, `all 2 ${one}`);
  });
});

test("images in Parquet: the hub's structure of bytes and path, or bytes alone", async () => {
  const png = (value: number) =>
    encodePng({ width: 1, height: 1, channels: 1, depth: 8, data: Uint8Array.of(value) });
  const info = { info: { features: { label: { names: ["zero", "one"], _type: "ClassLabel" } } } };
  const nested = new Uint8Array(parquetWriteBuffer({
    schema: [
      { name: "schema", num_children: 2 },
      { name: "image", repetition_type: "OPTIONAL", num_children: 2 },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: "label", type: "INT64", repetition_type: "OPTIONAL" },
    ],
    columnData: [
      { name: "image", data: [{ bytes: png(7), path: "a.png" }, { bytes: png(9), path: null }, null] },
      { name: "label", data: [1n, 0n, 1n] },
    ],
    kvMetadata: [{ key: "huggingface", value: JSON.stringify(info) }],
  }));
  const flat = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "img", data: [png(5)], type: "BYTE_ARRAY" },
      { name: "fine_label", data: [3], type: "INT32" },
    ],
  }));
  await withDataFolder({
    "data/train-00000-of-00001.parquet": nested,
    "other/test-00000-of-00001-0123abcd.parquet": flat,
  }, async (path) => {
    const data = await findData("vision", `${path}/data`);
    assertEquals(data.classes, ["zero", "one"]);
    const images = await collect(data.parts[0]!.read());
    assertEquals(
      images.map((image) => isSkip(image) ? describeSkip(image.skip) : [image.label, image.pixels[0]]),
      [
        [1, 7],
        [0, 9],
        "without an image's bytes",
      ],
    );
    assertEquals((await imagesOf(`${path}/other`))["test"]!.map(({ label, pixels }) => [label, pixels[0]]), [[
      3,
      5,
    ]]);
  });
});

Deno.test("resizeImage() averages areas, interpolates, keeps the shape, and changes channels", () => {
  const grey = (width: number, height: number, pixels: number[]) =>
    ({ width, height, channels: 1, pixels: Uint8Array.from(pixels) }) as const;
  assertEquals([...resizeImage(grey(2, 2, [1, 2, 3, 4]), 2, 1)], [1, 2, 3, 4]);
  assertEquals([...resizeImage(grey(4, 4, Array.from({ length: 16 }, (_, i) => 16 * i)), 2, 1)], [
    40,
    72,
    168,
    200,
  ]);
  assertEquals([...resizeImage(grey(3, 3, [0, 0, 0, 0, 90, 0, 0, 0, 0]), 2, 1)], [10, 10, 10, 10]);
  assertEquals([...resizeImage(grey(2, 1, [0, 100]), 4, 1).subarray(4, 8)], [0, 25, 75, 100]);
  assertEquals([...resizeImage(grey(1, 2, [50, 60]), 2, 1)], [50, 0, 60, 0]);
  assertEquals([...resizeImage(grey(1, 1, [7]), 1, 3)], [7, 7, 7]);
  const colour = { width: 1, height: 1, channels: 3, pixels: Uint8Array.of(100, 200, 50) } as const;
  assertEquals([...resizeImage(colour, 1, 1)], [153]);
  assertEquals([...resizeImage(colour, 2, 3)].slice(0, 3), [100, 200, 50]);
  // A mean keeps the mean: 8 × 8 to 28 × 28 and back.
  const image = grey(8, 8, Array.from({ length: 64 }, (_, i) => (i * 37) % 256));
  const mean = (pixels: Uint8Array) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  assert(Math.abs(mean(resizeImage(image, 28, 1)) - mean(image.pixels)) < 3);
});
