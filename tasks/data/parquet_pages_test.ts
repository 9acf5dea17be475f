import { assertEquals, assertGreater } from "@std/assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import { createRandom } from "../../numerics/random.ts";
import { collect, withDataFolder } from "../../tests/support/data_folder.ts";
import { fixture } from "../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { DataError } from "./data_error.ts";
import { readParquetRows } from "./parquet_rows.ts";

const test = testNeeding(FILES);

const arrow = fixture("parquet/arrow_rs.parquet");

test("Parquet of pages of version 1, with dictionaries, missing texts and lists, is read as it was written", async () => {
  const rows = await collect(readParquetRows(arrow));
  assertEquals(
    rows.map(({ fields }) => fields),
    Array.from({ length: 120 }, (_, i) => ({
      question: i % 7 === 0 ? null : `q ${i % 50} text`,
      answer: `#### ${i}`,
      label: i % 3,
      list: Array.from({ length: i % 4 }, (_, k) => `t ${k % 2} ${i % 9}`),
    })),
  );
});

test("Parquet with seeded faults is read or refused by name: no count makes room without end, and no error is left to nobody", async () => {
  const columnData = ["question", "answer"].map((name, k) => ({
    name,
    data: Array.from({ length: 300 }, (_, i) => `${name} ${i % (k === 0 ? 40 : 7)}`),
  }));
  const files = [
    await Deno.readFile(arrow),
    ...(["SNAPPY", "UNCOMPRESSED"] as const).map((codec) =>
      new Uint8Array(parquetWriteBuffer({ columnData, codec }))
    ),
  ];
  for (const [which, bytes] of files.entries()) {
    const random = createRandom(8).fork(`faults ${which}`), ends = { read: 0, refused: 0 };
    await withDataFolder({}, async (path) => {
      for (let i = 0; i < 150; i++) {
        const faulty = Uint8Array.from(bytes);
        for (const part of [0, 1, 2]) {
          const drawn = random.fork(`fault ${i} ${part}`).uniform(3, 0, 1);
          const [kind, place, value] = [drawn[0]!, Math.floor(drawn[1]! * bytes.length), drawn[2]!];
          if (kind < 0.4) faulty[place] = Math.floor(256 * value);
          else if (kind < 0.8) faulty[place]! ^= 1 << Math.floor(8 * value);
          else faulty.fill(255, place, place + 1 + Math.floor(8 * value));
        }
        await Deno.writeFile(`${path}/a.parquet`, faulty);
        try {
          await collect(readParquetRows(`${path}/a.parquet`));
          ends.read++;
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
          ends.refused++;
        }
      }
    });
    assertGreater(Math.min(ends.read, ends.refused), 0);
  }
});
