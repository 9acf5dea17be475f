/** @file Files that are made to fill memory, to wait for ever or to lead astray: each ends in a sentence that names it. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { encode as encodePng } from "fast-png";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import jpeg from "jpeg-js";
import { constants, crc32, deflateRawSync, deflateSync, zstdCompressSync } from "node:zlib";
import { collect, gzip, withDataFolder } from "../../tests/support/data_folder.ts";
import { PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";
import type { TaskFamily } from "../task.ts";
import { readLines } from "./bytes.ts";
import { DataError } from "./data_error.ts";
import { decodeImage, labelledImage, MOST_IMAGE_BYTES } from "./image_file.ts";
import { findData, loadData } from "./load.ts";
import { readParquetRows } from "./parquet_rows.ts";

const test = testNeeding(PROGRAMS);

/** Reads all of a folder as examples, each another. */
function load(family: TaskFamily, path: string): Promise<unknown> {
  let count = 0;
  return loadData<TaskFamily, object>(family, path, {
    convert: (example) => example,
    keyOf: () => String(count++),
  });
}

/** The most memory that this process has had so far, in MiB. */
async function peakMiB(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `grep VmHWM /proc/${Deno.pid}/status`],
  }).output();
  return Number(/\d+/.exec(new TextDecoder().decode(stdout))![0]) / 1024;
}

/** Runs `work`, which may add no gigabyte to the process. */
async function withinMemory(work: () => Promise<void>): Promise<void> {
  const before = await peakMiB();
  await work();
  const added = await peakMiB() - before;
  assert(added < 1000, `${added} MiB more`);
}

async function refused(family: TaskFamily, path: string, wanted: string): Promise<void> {
  const { message } = await assertRejects(() => load(family, path), DataError);
  assertStringIncludes(message, wanted);
  assert(!message.includes("\n"), message);
}

const MIB = 2 ** 20;

/** A gibibyte of a byte behind some first bytes, by deflate: its packed blocks of 16 MiB, again and again. */
function gibibyte(first: Uint8Array<ArrayBuffer>, value: number): Uint8Array<ArrayBuffer>[] {
  const flushed = { finishFlush: constants.Z_FULL_FLUSH };
  const block = new Uint8Array(deflateRawSync(new Uint8Array(16 * MIB).fill(value), flushed));
  return [new Uint8Array(deflateRawSync(first, flushed)), ...Array.from({ length: 64 }, () => block)];
}

async function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob([...parts]).arrayBuffer());
}

/** A gibibyte in a megabyte of gzip. */
function gzipBomb(first: readonly number[], value: number): Promise<Uint8Array<ArrayBuffer>> {
  const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
  return joined([header, ...gibibyte(Uint8Array.from(first), value)]);
}

/** A PNG with such chunks between its size and its end. */
function png(width: number, height: number, chunks: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const size = new Uint8Array(13), view = new DataView(size.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // 8 bits of grey.
  size[8] = 8;
  const parts = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10)];
  for (const [type, body] of Object.entries({ IHDR: size, ...chunks, IEND: new Uint8Array(0) })) {
    const part = new Uint8Array(12 + body.length), view = new DataView(part.buffer);
    view.setUint32(0, body.length);
    part.set(new TextEncoder().encode(type), 4);
    part.set(body, 8);
    view.setUint32(8 + body.length, crc32(part.subarray(4, 8 + body.length)));
    parts.push(part);
  }
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

/** A gibibyte in a megabyte of zlib, without its checksum. */
async function zlibBomb(): Promise<Uint8Array<ArrayBuffer>> {
  return await joined([Uint8Array.of(0x78, 0x9c), ...gibibyte(new Uint8Array(0), 0)]);
}

test("gzip that unpacks to a gibibyte is read no further than its size allows, whatever the format", async () => {
  await withinMemory(async () => {
    const idxHeader = (
      count: number,
    ) => [0, 0, 8, 3, 0, 0, count >> 8, count & 255, 0, 0, 128, 0, 0, 0, 128, 0];
    const spaces = await gzipBomb([], 0x20);
    await withDataFolder({
      "math/train.jsonl.gz": spaces,
      "one/train-images-idx3-ubyte.gz": await gzipBomb(idxHeader(1), 0),
      "one/train-labels-idx1-ubyte.gz": await gzip(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 7)),
      "few/train-images-idx3-ubyte.gz": await gzipBomb([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2], 0),
      "few/train-labels-idx1-ubyte.gz": await gzip(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 7)),
      "csv/mnist_train.csv.gz": spaces,
      "text/train.tsv": spaces,
    }, async (path) => {
      const most = (100 * spaces.length).toLocaleString("en-US");
      const packed = `its ${spaces.length.toLocaleString("en-US")} bytes unpack to more than ${most} bytes`;
      await refused("math", `${path}/math`, `Cannot read ${path}/math/train.jsonl.gz: ${packed}`);
      await refused("vision", `${path}/one`, `Cannot read ${path}/one/train-images-idx3-ubyte.gz: its `);
      await refused("vision", `${path}/one`, " unpack to more than ");
      await refused(
        "vision",
        `${path}/few`,
        "train-images-idx3-ubyte.gz: it goes on behind the 4 bytes of [1, 2, 2]",
      );
      await refused("vision", `${path}/csv`, "train.csv.gz: line 1 has more than 16,777,216 characters");
      await refused("understanding", `${path}/text`, "train.tsv: line 1 has more than 16,777,216 characters");
    });
  });
});

test("an IDX file that says that it has a terabyte is refused by what it says", async () => {
  await withDataFolder({
    "train-images-idx3-ubyte": Uint8Array.of(0, 0, 8, 3, 0, 15, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 1),
    "train-labels-idx1-ubyte": Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 7),
  }, async (path) => {
    await refused("vision", path, "its shape is [983040, 1024, 1024], 1,073,741,824 values at most are read");
  });
});

test("PNG and JPEG that unpack to gigabytes are counted as such and not unpacked; others stay as they were", async () => {
  const grey = (value: number) =>
    encodePng({ width: 4, height: 2, channels: 1, depth: 8, data: new Uint8Array(8).fill(value) });
  const rows = new Uint8Array(deflateSync(new Uint8Array(10)));
  const huge = png(60_000, 60_000, { IDAT: rows }), liar = png(4, 2, { IDAT: await zlibBomb() });
  const jpg = jpeg.encode({ width: 8, height: 8, data: new Uint8Array(256).fill(200) }, 90).data;
  const at = jpg.findIndex((byte, i) => byte === 0xff && jpg[i + 1] === 0xc0);
  const hugeJpg = Uint8Array.from(jpg);
  hugeJpg.set([0xff, 0xdc, 0xff, 0xdc], at + 5);
  await withinMemory(async () => {
    for (const bytes of [huge, liar, hugeJpg]) {
      await assertRejects(() => decodeImage(bytes), Error, "it unpacks to more than 134,217,728 bytes");
      assertEquals(await labelledImage(bytes, 0), { skip: { kind: "image-too-large", most: 2 ** 27 } });
    }
    // The profile is not needed, and so it is not unpacked.
    const profile = await joined([Uint8Array.of(0x61, 0, 0), await zlibBomb()]);
    const profiled = await decodeImage(png(4, 2, { iCCP: profile, IDAT: rows }));
    assertEquals([profiled.width, profiled.height, ...profiled.pixels], [4, 2, ...new Array(8).fill(0)]);
    await withDataFolder({
      "some/a/1.png": grey(1),
      "some/a/2.png": grey(2),
      "some/b/1.png": grey(3),
      "some/b/2.png": huge,
      "none/a/1.png": huge,
      "none/b/1.png": liar,
      "none/b/2.jpg": hugeJpg,
    }, async (path) => {
      const whole = `${path}/some/b/3.png`;
      await Deno.writeFile(whole, grey(4));
      await Deno.truncate(whole, MOST_IMAGE_BYTES + 1);
      const { records } = await load("vision", `${path}/some`) as Awaited<ReturnType<typeof loadData>>;
      assertEquals(records.train, {
        read: 5,
        kept: 3,
        skipped: { "that unpack to more than 134,217,728 bytes": 2 },
      });
      await refused(
        "vision",
        `${path}/none`,
        `Cannot use ${path}/none (a folder of PNG or JPEG files a class, 3 files): no example is left, train: 3 read, 0 kept, ` +
          "3 skipped (3 that unpack to more than 134,217,728 bytes)",
      );
    });
  });
});

Deno.test("a JPEG of a hundred passes and more is not decoded", async () => {
  const { data } = jpeg.encode({ width: 8, height: 8, data: new Uint8Array(256).fill(200) }, 90);
  const at = data.findIndex((byte, i) => byte === 0xff && data[i + 1] === 0xda);
  const passes = Array.from({ length: 101 }, () => [...data.subarray(at, data.length - 2)]).flat();
  const bytes = Uint8Array.of(...data.subarray(0, at), ...passes, 0xff, 0xd9);
  await assertRejects(() => decodeImage(bytes), Error, "it has more than 100 scans");
});

test("Parquet that says that it has billions of rows, or unpacks to gigabytes, is refused by name", async () => {
  const schema = [
    { name: "schema", num_children: 1 },
    { name: "question", type: "BYTE_ARRAY", repetition_type: "REQUIRED" },
  ] as const;
  const lying = new ParquetWriter({ writer: new ByteWriter(), schema: [...schema] });
  void lying.write({ columnData: [{ name: "question", data: [new Uint8Array(3)] }] });
  lying.num_rows = lying.row_groups[0]!.num_rows = 3_000_000_000n;
  void lying.finish();
  // Pages of 8 MiB that are packed once.
  const packed = new Map<number, Uint8Array>();
  const compress = (bytes: Uint8Array) => {
    if (!packed.has(bytes.length)) packed.set(bytes.length, new Uint8Array(zstdCompressSync(bytes)));
    return packed.get(bytes.length)!;
  };
  const bomb = new ParquetWriter({
    writer: new ByteWriter(),
    schema: [...schema],
    codec: "ZSTD",
    compressors: { ZSTD: compress },
  });
  const data = new Array<Uint8Array>(70).fill(new Uint8Array(8 * MIB));
  void bomb.write({ columnData: [{ name: "question", data, encoding: "PLAIN" }], pageSize: 8 * MIB });
  void bomb.finish();
  const bytesOf = ({ writer }: ParquetWriter) => new Uint8Array((writer as ByteWriter).getBuffer());
  assert(bytesOf(bomb).length < MIB);
  await withinMemory(async () => {
    await withDataFolder({ "lying.parquet": bytesOf(lying), "bomb.parquet": bytesOf(bomb) }, async (path) => {
      for (
        const [name, wanted] of [
          ["lying", "it says that a group has 3,000,000,000 rows, from 0 to 2,097,152 are read"],
          ["bomb", "a group of its rows has more than 536,870,912 bytes"],
        ] as const
      ) {
        await assertRejects(
          () => collect(readParquetRows(`${path}/${name}.parquet`)),
          DataError,
          `Cannot read ${path}/${name}.parquet: ${wanted}`,
        );
      }
    });
  });
});

test("lines and objects of 50 MB are refused by their line, and long ones below the limit are read whole", async () => {
  const long = "x".repeat(50_000_000), below = "y".repeat(12_000_000);
  await withDataFolder({
    "lines": `a\n${below}\nb\n`,
    "math/train.jsonl":
      `{"question": "a", "answer": "#### 1"}\n{"question": "${long}", "answer": "#### 1"}\n`,
    "text/train.tsv": `sentence\tlabel\na\t0\n${long}\t1\n`,
    "csv/mnist_train.csv": `1,${"0,".repeat(25_000_000)}0\n`,
  }, async (path) => {
    assertEquals((await collect(readLines(`${path}/lines`))).map(({ text }) => text.length), [
      1,
      below.length,
      1,
    ]);
    await refused("math", `${path}/math`, "line 2 begins an object of more than 16,777,216 characters");
    await refused("understanding", `${path}/text`, "line 3 has more than 16,777,216 characters");
    await refused("vision", `${path}/csv`, "mnist_train.csv: line 1 has more than 16,777,216 characters");
  });
});

/** A folder of data with one good file beside what `make` puts there. */
async function withBeside(make: (path: string) => Promise<unknown>, use: (path: string) => Promise<void>) {
  const test = '{"question": "a", "answer": "#### 1"}\n';
  await withDataFolder({ "test.jsonl": test }, async (path) => {
    await make(path);
    await use(path);
  });
}

async function makePipe(path: string): Promise<void> {
  const { success } = await new Deno.Command("sh", { args: ["-c", 'mkfifo "$0"', path] }).output();
  assert(success);
}

test("what is no file but has a file's name is named and not waited for: pipes, folders, links to nothing and to themselves", async () => {
  const kinds: [(path: string) => Promise<unknown>, string][] = [
    [(path) => makePipe(`${path}/train.jsonl`), "it is a named pipe, a file is needed"],
    [(path) => Deno.mkdir(`${path}/train.jsonl`), "it is a folder, a file is needed"],
    [
      (path) => Deno.symlink("train.jsonl", `${path}/train.jsonl`),
      "it is a link (its links lead back to themselves), a file is needed",
    ],
    [
      (path) => Deno.symlink("nothing", `${path}/train.jsonl`),
      "it is a link (there is no such file or folder), a file is needed",
    ],
  ];
  for (const [make, wanted] of kinds) {
    await withBeside(make, (path) => refused("math", path, `Cannot read ${path}/train.jsonl: ${wanted}`));
  }
  // Under other names they are none of the data.
  await withBeside(async (path) => {
    await makePipe(`${path}/pipe`);
    await Deno.symlink("loop", `${path}/loop`);
    await Deno.symlink(`${path}/test.jsonl`, `${path}/train.jsonl`);
  }, async (path) => {
    assertEquals((await findData("math", path)).parts.map(({ role }) => role), ["test", "train"]);
    await refused(
      "math",
      `${path}/pipe`,
      `Cannot read ${path}/pipe: it is a named pipe, a folder or a file is needed`,
    );
    await refused("math", `${path}/loop`, `Cannot read ${path}/loop: its links lead back to themselves`);
    const long = `${path}/${"n".repeat(5000)}`;
    await refused("math", long, `Cannot read ${long}: a name in its path is too long`);
    const inside = `${path}/test.jsonl/data`;
    await refused("math", inside, `Cannot read ${inside}: a part of its path is a file, a folder is needed`);
  });
});

test("links to folders are followed, and one that leads to a folder again is refused by both names", async () => {
  await withBeside(async (path) => {
    await Deno.mkdir(`${path}/real`);
    await Deno.rename(`${path}/test.jsonl`, `${path}/real/test.jsonl`);
    await Deno.mkdir(`${path}/view`);
    await Deno.symlink("../real", `${path}/view/linked`);
    await Deno.symlink("..", `${path}/real/up`);
  }, async (path) => {
    await Deno.remove(`${path}/real/up`);
    assertEquals((await findData("math", `${path}/view`)).parts[0]!.files, ["linked/test.jsonl"]);
    await refused("math", path, `linked/: it is the same folder as ${path}/real/, and is to be there once`);
    await Deno.symlink("..", `${path}/real/up`);
    await refused(
      "math",
      `${path}/real`,
      `Cannot read ${path}/real/up/real/: it is the same folder as ${path}/real/`,
    );
  });
});
