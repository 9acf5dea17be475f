/** @file Everything that reads real data works with the permissions of a sweep: files, and nothing else. */
import { assertEquals } from "@std/assert";
import { encode as encodePng } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import jpeg from "jpeg-js";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { encodeSafetensors } from "../models/checkpoints/write_safetensors.ts";
import { createByteLevelBpe, tokenizerJson } from "../tasks/text/byte_level_bpe.ts";
import { gzip, withDataFolder } from "./support/data_folder.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const repository = new URL("../", import.meta.url).pathname;

/** Runs a module's text in the project as `./run bench` runs: what it logs. */
async function logOf(source: string, allowed = ["--allow-read", "--allow-write"]): Promise<string> {
  const child = new Deno.Command("deno", {
    args: ["run", "--no-prompt", ...allowed, "-"],
    cwd: repository,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(source));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, text(stderr));
  return text(stdout).trim();
}

const compressors = {
  GZIP: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)),
  BROTLI: (bytes: Uint8Array) => new Uint8Array(brotliCompressSync(bytes)),
  ZSTD: (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes)),
};

/** Questions in Parquet, compressed. */
function parquet(codec: "SNAPPY" | "GZIP" | "BROTLI" | "ZSTD"): Uint8Array {
  const question = Array.from({ length: 20 }, (_, i) => `What is ${i} and nothing, by ${codec}?`);
  const columnData = [
    { name: "question", data: question },
    { name: "answer", data: question.map(() => "Working, working, working.\n#### 7") },
  ];
  return new Uint8Array(
    parquetWriteBuffer({ columnData, codec, ...(codec !== "SNAPPY" && { compressors }) }),
  );
}

test("images, Parquet of four compressions and tokenizers are read without net, env, run, ffi and sys", async () => {
  const png = encodePng({ width: 2, height: 2, channels: 1, depth: 8, data: Uint8Array.of(0, 80, 160, 240) });
  const { data: jpg } = jpeg.encode({ width: 8, height: 8, data: new Uint8Array(256).fill(200) }, 90);
  const names = ["SNAPPY", "GZIP", "BROTLI", "ZSTD"] as const;
  const parquets = Object.fromEntries(
    names.map((codec) => [`${codec}/train-00000-of-00001.parquet`, parquet(codec)]),
  );
  await withDataFolder({
    "images/train/0/a.png": png,
    "images/train/1/b.jpg": new Uint8Array(jpg),
    ...parquets,
    "tokenizer.json": JSON.stringify(tokenizerJson(createByteLevelBpe([]))),
  }, async (folder) => {
    const log = await logOf(`
      import { dataSets, findData, isSkip, readTokenizer } from "${repository}mod.ts";
      const kinds = ["read", "write", "net", "env", "run", "ffi", "sys"];
      const states = kinds.map((name) => Deno.permissions.querySync({ name }).state);
      const all = async (family, path) => {
        const items = [];
        for (const part of (await findData(family, path)).parts) for await (const item of part.read()) items.push(item);
        return items.filter((item) => !isSkip(item)).length;
      };
      const counts = [await all("vision", "${folder}/images")];
      for (const codec of ${JSON.stringify(names)}) counts.push(await all("math", "${folder}/" + codec));
      const tokenizer = await readTokenizer("${folder}", { stop: "<|stop|>" });
      console.log(JSON.stringify({ states, counts, text: tokenizer.decode(tokenizer.encode("é")), known: Object.keys(dataSets).length > 9 }));
    `);
    const granted = ["granted", "granted", "prompt", "prompt", "prompt", "prompt", "prompt"];
    const { states, ...found } = JSON.parse(log);
    assertEquals(states, granted);
    assertEquals(found, { counts: [2, 20, 20, 20, 20], text: "é", known: true });
  });
});

test("files behind a link are read by who may read the link alone", async () => {
  const one = { shape: [1], data: Float32Array.of(3) };
  await withDataFolder({
    "real/model.safetensors": encodeSafetensors(new Map([["w", one]]), { format: "pt" }),
    "real/a.parquet": parquet("SNAPPY"),
    "real/a.csv.gz": await gzip("a,b\n1,2\n"),
  }, async (folder) => {
    await Deno.symlink(`${folder}/real`, `${folder}/link`);
    const log = await logOf(
      `
      import { openSafetensors } from "${repository}models/checkpoints/read_safetensors.ts";
      import { rowsOf } from "${repository}tasks/own/rows.ts";
      const counts = [(await openSafetensors("${folder}/link/model.safetensors")).tensors.get("w").data[0]];
      for (const name of ["a.parquet", "a.csv.gz"]) {
        counts.push((await Array.fromAsync(rowsOf("${folder}/link/" + name))).length);
      }
      console.log(JSON.stringify(counts));
    `,
      [`--allow-read=.,${folder}/link`],
    );
    assertEquals(JSON.parse(log), [3, 20, 1]);
  });
});
