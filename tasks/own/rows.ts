/** @file The rows of a file of the user's, whatever its format, and the files of a folder that have rows. */
import { readJsonRows } from "../data/json_rows.ts";
import { parquetColumns, readParquetRows } from "../data/parquet_rows.ts";
import type { Row } from "../data/row.ts";
import { firstTsvLine, readTsvRows } from "../data/tsv_rows.ts";
import { csvColumns, readCsvRows } from "./csv_rows.ts";

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
      return await firstTsvLine(path) ?? [];
    case "parquet":
      return await parquetColumns(path);
    default: {
      const names = new Set<string>();
      let read = 0;
      for await (const { fields } of readJsonRows(path)) {
        for (const name of Object.keys(fields)) names.add(name);
        if (++read === LOOKED_AT) break;
      }
      return [...names];
    }
  }
}

/** Records of JSON that are looked at for names of columns: some leave out what they have not. */
const LOOKED_AT = 100;

function kindOf(path: string): string {
  return /\.(csv|tsv|parquet)(\.gz)?$/i.exec(path)?.[1]?.toLowerCase() ?? "json";
}
