import { assertEquals, assertRejects } from "@std/assert";
import { collect, withDataFolder } from "../../tests/support/data_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { DataError } from "../data/data_error.ts";
import { csvColumns, readCsvRows } from "./csv_rows.ts";

const test = testNeeding(FILES);

async function rowsIn(text: string): Promise<unknown[]> {
  let rows: unknown[] = [];
  await withDataFolder({ "a.csv": text }, async (folder) => {
    rows = (await collect(readCsvRows(`${folder}/a.csv`))).map((
      { fields, where },
    ) => [fields, where.split(": ")[1]]);
  });
  return rows;
}

test("readCsvRows() reads quotation marks, commas and line ends in them, as RFC 4180 has it", async () => {
  const text = '\ufeffa,b\r\n1,"x, ""y"""\r\n\r\n"line\none",\r\n"",q"q\n \r,"z"';
  assertEquals(await rowsIn(text), [
    [{ a: "1", b: 'x, "y"' }, "line 2"],
    [{ a: "line\none", b: "" }, "line 4"],
    [{ a: "", b: 'q"q' }, "line 6"],
    [{ a: " \r", b: "z" }, "line 7"],
  ]);
  // White space around names is none of theirs, and columns without a name may be several: spreadsheets leave such behind.
  assertEquals(await rowsIn(" a ,\tb,,\n1, 2,,\n"), [[{ a: "1", b: " 2", "": "" }, "line 2"]]);
  // Texts that span what is read at once.
  const long = `"${'a""b\n'.repeat(30_000)}"`;
  assertEquals(await rowsIn(`a,b\n${long},1\n`), [[{ a: 'a"b\n'.repeat(30_000), b: "1" }, "line 2"]]);
});

test("readCsvRows() refuses files that are cut short or have lines of other lengths, with the line", async () => {
  const refused = async (text: string, reason: string) => {
    await withDataFolder({ "a.csv": text }, async (folder) => {
      const path = `${folder}/a.csv`;
      const error = await assertRejects(() => collect(readCsvRows(path)), DataError);
      assertEquals(error.message, `Cannot read ${path}: ${reason}`);
    });
  };
  await refused("a,b\n1\n", "line 2 has 1 field, 2 are needed");
  await refused("a,b\n\n1,2,3\n", "line 3 has 3 fields, 2 are needed");
  await refused("a,a\n1,2\n", 'line 1 names the column "a" twice');
  await refused("a, a\n1,2\n", 'line 1 names the column "a" twice');
  await refused(
    'a,b\n1,"2\n3,4\n',
    "line 2 begins a field in quotation marks that does not end (cut short?)",
  );
  await refused('a,b\n1,"2"x\n', 'line 2 has "x" behind a closing quotation mark');
  const semicolons = "line 1 has semicolons between the names of its columns, commas are needed";
  await refused("a;b\r\n1;2\r\n", semicolons);
  await refused('"a;b"\n1\n', semicolons);
  await refused("a\tb\n1\t2\n", "line 1 has tabs between the names of its columns, commas are needed");
  await refused(
    "sep=;\r\na;b\r\n",
    'line 1 is "sep=;", the names of the columns are needed, with commas between',
  );
  await refused(
    "a,b\r1,2\r",
    "line 1 has a carriage return within a name: lines that end in a line feed are needed",
  );
  await withDataFolder({ "a.csv": "a;b\n" }, async (folder) => {
    await assertRejects(() => csvColumns(`${folder}/a.csv`), DataError, semicolons);
  });
  await withDataFolder({ "a.csv": "" }, async (folder) => {
    assertEquals(await csvColumns(`${folder}/a.csv`), []);
  });
});
