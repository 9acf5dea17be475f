/** @file The rows of a file of the user's, whatever its format, and the files of a folder that have rows. */
import { DataError } from "../data/data_error.ts";
import { readJsonRows } from "../data/json_rows.ts";
import { parquetColumns, readParquetRows } from "../data/parquet_rows.ts";
import { readLines } from "../data/bytes.ts";
import { columnNames, type Row } from "../data/row.ts";
import { readTsvRows } from "../data/tsv_rows.ts";
import { csvColumns, readCsvRows } from "./csv_rows.ts";
import { requireMark } from "./header.ts";

/** Endings of files that have rows; all but Parquet may be compressed with gzip. */
const ENDING = /\.(jsonl|json|csv|tsv)(\.gz)?$|\.parquet$/i;

/** True for a file that is named as one with rows. */
export function hasRows(file: string): boolean {
  return ENDING.test(file) && !/(^|\/)dataset\.json$/.test(file);
}

/** A file's name without what tells its format. */
export function stem(file: string): string {
  return file.replace(ENDING, "");
}

/** The rows of a file, by its ending. @throws {DataError} where it can't be read */
export function rowsOf(path: string): AsyncGenerator<Row> {
  switch (kindOf(path)) {
    case "csv":
      return readCsvRows(path);
    case "tsv":
      return readTsvRows(path);
    case "parquet":
      return readParquetRows(path);
    default:
      return readJsonRows(path);
  }
}

/** Names of a file's columns: the first line's, or of JSON the fields of its first records, in the order of their coming. */
export async function columnsOf(path: string): Promise<readonly string[]> {
  switch (kindOf(path)) {
    case "csv":
      return await csvColumns(path);
    case "tsv":
      return await tsvColumns(path);
    case "parquet":
      return await parquetColumns(path);
    default: {
      const names = new Set<string>();
      let read = 0, first: Row | null = null;
      for await (const row of readJsonRows(path)) {
        first ??= row;
        for (const name of Object.keys(row.fields)) names.add(name);
        if (++read === LOOKED_AT) break;
      }
      if (first && read === 1) requireOneRecord(first);
      return [...names];
    }
  }
}

/** @throws {DataError} where the only object of a file holds all records, or all values of each column */
function requireOneRecord({ fields, where }: Row): void {
  const isObject = (value: unknown) => typeof value === "object" && value !== null;
  const isTurn = (value: unknown) =>
    isObject(value) && ["role", "from"].some((name) => name in (value as object));
  const entries = Object.entries(fields);
  const list = entries.find(([, value]) =>
    Array.isArray(value) && value.length > 0 && value.every((one) => isObject(one) && !isTurn(one))
  );
  const holdsNoText = entries.every(([, value]) =>
    isObject(value) && !(Array.isArray(value) && value.some(isTurn))
  );
  const [name, value] = list ?? (holdsNoText ? entries[0] : undefined) ?? [];
  if (name === undefined) return;
  throw new DataError(
    `Cannot read ${where} begins the file's only object, whose "${name}" is ${
      Array.isArray(value) ? `a list of ${value.length}` : "an object"
    }: one object for each example is needed, in a list or one a line`,
  );
}

async function tsvColumns(path: string): Promise<readonly string[]> {
  for await (const { number, text } of readLines(path)) {
    if (text === "") continue;
    const fields = text.split("\t"), where = `${path}: line ${number}`;
    requireMark(fields, "\t", where);
    return columnNames(fields, where);
  }
  return [];
}

/** Records of JSON that are looked at for names of columns: some leave out what they have not. */
const LOOKED_AT = 100;

function kindOf(path: string): string {
  return /\.(csv|tsv|parquet)(\.gz)?$/i.exec(path)?.[1]?.toLowerCase() ?? "json";
}
