/** @file What stands between the names of columns in a file's first line. */
import { DataError } from "../data/data_error.ts";

/** What formats have between fields, in words. */
const MARKS = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars" } as const;

/** @throws {DataError} where the one name in a first line holds what other formats have between names */
export function requireMark(fields: readonly string[], own: "," | "\t", where: string): void {
  const [only = "", ...others] = fields;
  if (others.length > 0) return;
  const found = ([";", "\t", "|", ","] as const).find((mark) => mark !== own && only.includes(mark));
  if (found === undefined) return;
  throw new DataError(
    `Cannot read ${where} has ${MARKS[found]} between the names of its columns, ${MARKS[own]} are needed`,
  );
}
