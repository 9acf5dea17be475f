/** @file Rows of tab-separated files. Quotes mean nothing there: GLUE's texts hold unpaired ones. */
import { readLines } from "./bytes.ts";
import { columnNames, type Row, wrongCount } from "./row.ts";

/** A tab-separated file's columns. */
export interface TsvLayout {
  /** Names of the columns of a file without a header; absent where the first line has them. */
  readonly columns?: readonly string[];
}

/**
 * A file's rows. Empty lines are passed over.
 *
 * @throws {DataError} naming file and line where a line has more or fewer fields than there are columns, and where the first
 * one names a column twice
 */
export async function* readTsvRows(path: string, { columns }: TsvLayout = {}): AsyncGenerator<Row> {
  let names = columns;
  for await (const { number, text } of readLines(path)) {
    if (text === "") continue;
    const values = text.split("\t"), where = `${path}: line ${number}`;
    if (!names) {
      names = columnNames(values, where);
      continue;
    }
    if (values.length !== names.length) throw wrongCount(where, values.length, names.length);
    yield { fields: Object.fromEntries(names.map((name, i) => [name, values[i]!])), where };
  }
}

/** A tab-separated file's first line, in fields; null where the file is empty. */
export async function firstTsvLine(path: string): Promise<readonly string[] | null> {
  for await (const { text } of readLines(path)) if (text !== "") return text.split("\t");
  return null;
}
