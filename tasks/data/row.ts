/** @file One record of a file, whatever the file's format: named fields and where they were found. */
import type { Skip } from "../skip.ts";
import { DataError } from "./data_error.ts";

/** A record with named fields. */
export interface Row {
  /** Values by the name that the file gives them. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** For errors: "DIR/train.jsonl: line 17", or "record 17" of a format without lines. */
  readonly where: string;
}

/**
 * Names of columns from a file's first line, without the white space around them. Those of columns that have none are "".
 *
 * @param where for errors: "a.csv: line 1"
 * @throws {DataError} where two columns have one name
 */
export function columnNames(fields: readonly string[], where: string): readonly string[] {
  const names = fields.map((field) => field.trim());
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) < i);
  if (twice !== undefined) throw new DataError(`Cannot read ${where} names the column "${twice}" twice`);
  return names;
}

/** How many fields a line has that needs another number of them. */
export function wrongCount(where: string, found: number, needed: number): DataError {
  return new DataError(
    `Cannot read ${where} has ${found} field${found === 1 ? "" : "s"}, ${needed} are needed`,
  );
}

/**
 * A field that is text with more than white space.
 *
 * @returns why the row can't be used, where it is none
 */
export function textOf({ fields }: Row, name: string): string | Skip {
  const value = fields[name];
  if (typeof value !== "string") return { skip: { kind: "not-text", column: name } };
  return value.trim() === "" ? { skip: { kind: "empty", column: name } } : value;
}

/** Several fields as by `textOf`, or why the first faulty one is none. */
export function textsOf<const N extends readonly string[]>(
  row: Row,
  names: N,
): { readonly [K in N[number]]: string } | Skip {
  const found: Record<string, string> = {};
  for (const name of names) {
    const text = textOf(row, name);
    if (typeof text !== "string") return text;
    found[name] = text;
  }
  return found as { readonly [K in N[number]]: string };
}
