import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { collect, gzip, withDataFolder } from "../../tests/support/data_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { readLines } from "./bytes.ts";
import { DataError } from "./data_error.ts";
import { readJsonRows } from "./json_rows.ts";
import { parquetColumns, readParquetRows } from "./parquet_rows.ts";
import { readTsvRows } from "./tsv_rows.ts";

const test = testNeeding(FILES);

test("readLines() takes LF, CRLF, a byte-order mark, empty lines, a last line without an end, and gzip", async () => {
  const text = "\uFEFFa\r\n\r\nb\tc\rd\n\u00e9 \u{1F600}";
  const wanted = ["a", "", "b\tc\rd", "\u00e9 \u{1F600}"].map((text, i) => ({ number: i + 1, text }));
  await withDataFolder({ plain: text, zipped: await gzip(text), empty: "", end: "a\n" }, async (path) => {
    assertEquals(await collect(readLines(`${path}/plain`)), wanted);
    assertEquals(await collect(readLines(`${path}/zipped`)), wanted);
    assertEquals(await collect(readLines(`${path}/empty`)), []);
    assertEquals((await collect(readLines(`${path}/end`))).length, 1);
  });
});

test("readLines() names a file that is missing, no text, or a gzip stream cut short", async () => {
  const zipped = await gzip("line\n".repeat(20000));
  await withDataFolder(
    {
      cut: zipped.subarray(0, zipped.length - 9),
      odd: zipped.with(20, 0xff).fill(0xff, 21, 40),
      bytes: Uint8Array.of(0x61, 0xff),
      little: Uint8Array.of(0xff, 0xfe, 0x61, 0),
      big: Uint8Array.of(0xfe, 0xff, 0, 0x61),
      bare: Uint8Array.of(0x61, 0, 0x62, 0),
    },
    async (path) => {
      const read = (name: string) => collect(readLines(`${path}/${name}`));
      await assertRejects(() => read("none"), DataError, `Cannot read ${path}/none: there is no such file`);
      await assertRejects(() => read("bytes"), DataError, `Cannot read ${path}/bytes: it is not UTF-8 text`);
      for (const name of ["little", "big"]) {
        await assertRejects(
          () => read(name),
          DataError,
          `${path}/${name}: it is UTF-16 text, UTF-8 is needed`,
        );
      }
      await assertRejects(() => read("bare"), DataError, "as in UTF-16 text, UTF-8 is needed");
      await assertRejects(
        () => read("cut"),
        DataError,
        `${path}/cut: its gzip stream is cut short or broken`,
      );
      await assertRejects(
        () => read("odd"),
        DataError,
        `${path}/odd: its gzip stream is cut short or broken`,
      );
    },
  );
});

test("readJsonRows() finds the same objects in lines, in an array, pretty-printed or not, whatever they hold", async () => {
  const objects = fc.array(
    fc.dictionary(
      fc.string(),
      fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.constant({ a: ["}", '\\"', []] })),
    ),
    { maxLength: 6 },
  );
  await withDataFolder({}, async (path) => {
    const file = `${path}/a.json`;
    await fc.assert(
      fc.asyncProperty(objects, async (rows) => {
        const wanted: unknown[] = JSON.parse(JSON.stringify(rows));
        const forms = [
          rows.map((row) => JSON.stringify(row)).join("\n"),
          rows.map((row) => `${JSON.stringify(row)}\r\n\r\n`).join(""),
          rows.map((row) => JSON.stringify(row, null, 2)).join("\n"),
          JSON.stringify(rows),
          `\uFEFF${JSON.stringify(rows, null, 1)}\n`,
        ];
        for (const form of forms) {
          await Deno.writeTextFile(file, form);
          assertEquals((await collect(readJsonRows(file))).map(({ fields }) => fields as unknown), wanted);
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("readJsonRows() joins objects across the pieces in which a file is read", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({ i, text: '\\"{['.repeat(1000 + 7 * i) }));
  await withDataFolder({ "a.json": JSON.stringify(rows) }, async (path) => {
    assertEquals((await collect(readJsonRows(`${path}/a.json`))).map(({ fields }) => fields), rows);
  });
});

test("readJsonRows() names the line of what is cut short, no JSON, or no object", async () => {
  const faults: [string, string][] = [
    ['{"a":1}\n{"a":2', "line 2 begins an object that does not end"],
    ['{"a":1}\n{"a":"x\n{"a":3}\n', "line 2 begins an object that does not end"],
    ['[{"a":1},\n{"a":2}', "it ends within its array, at line 2"],
    ['{"a":1}\n{a:2}\n', "line 2 begins an object that is not JSON (within it: "],
    ['{"a":1}\n7\n', 'line 2 has "7" where an object is needed'],
    ['[{"a":1}]\n{"a":2}', "after the array's end"],
  ];
  for (const [text, message] of faults) {
    await withDataFolder({ "a.jsonl": text }, async (path) => {
      await assertRejects(() => collect(readJsonRows(`${path}/a.jsonl`)), DataError, message);
    });
  }
});

test("readTsvRows() leaves quotes alone, passes empty lines over and names the line of a wrong number of fields", async () => {
  await withDataFolder(
    {
      "a.tsv": '\uFEFFa\tb\r\n"x\ty"\r\n\r\n1\t"\r\n',
      "b.tsv": "a\tb\n1\t2\n1\n",
      "c.tsv": "\na\tb\ta \n1\t2\t3\n",
    },
    async (path) => {
      const rows = await collect(readTsvRows(`${path}/a.tsv`));
      assertEquals(rows.map(({ fields }) => fields), [{ a: '"x', b: 'y"' }, { a: "1", b: '"' }]);
      assertEquals(rows[1]!.where, `${path}/a.tsv: line 4`);
      await assertRejects(
        () => collect(readTsvRows(`${path}/b.tsv`)),
        DataError,
        `Cannot read ${path}/b.tsv: line 3 has 1 field, 2 are needed`,
      );
      await assertRejects(
        () => collect(readTsvRows(`${path}/c.tsv`)),
        DataError,
        `Cannot read ${path}/c.tsv: line 2 names the column "a" twice`,
      );
      // What has no first line of names may say the same twice.
      const plain = await collect(readTsvRows(`${path}/c.tsv`, { columns: ["x", "y", "z"] }));
      assertEquals(plain.map(({ fields }) => fields["z"]), ["a ", "3"]);
    },
  );
});

test("readParquetRows() reads texts, numbers and bytes over several groups, and names a file cut short", async () => {
  const count = 25;
  const numbers = Array.from({ length: count }, (_, i) => i);
  const buffer = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "text", data: numbers.map((i) => `\u00e9 ${i}`), type: "STRING" },
      { name: "label", data: numbers.map(BigInt), type: "INT64" },
      { name: "bytes", data: numbers.map((i) => Uint8Array.of(i, 0xff)), type: "BYTE_ARRAY" },
    ],
    rowGroupSize: 10,
  }));
  await withDataFolder(
    {
      "a.parquet": buffer,
      "cut.parquet": buffer.subarray(0, buffer.length - 20),
      "half.parquet": buffer.subarray(20),
      "none.parquet": "",
    },
    async (path) => {
      const rows = await collect(readParquetRows(`${path}/a.parquet`));
      assertEquals(
        rows.map(({ fields }) => fields),
        numbers.map((i) => ({ text: `\u00e9 ${i}`, label: i, bytes: Uint8Array.of(i, 0xff) })),
      );
      assertEquals(rows[11]!.where, `${path}/a.parquet: record 12`);
      for (
        const [name, reason] of [
          ["cut", "it does not end as Parquet does"],
          ["half", "it does not begin as Parquet does"],
          ["none", "it is empty"],
        ]
      ) {
        const file = `${path}/${name}.parquet`;
        for (const read of [() => collect(readParquetRows(file)), () => parquetColumns(file)]) {
          await assertRejects(read, DataError, `Cannot read ${file}: ${reason} (cut short, or not Parquet?)`);
        }
      }
    },
  );
});
