/** @file One record of a file, whatever the file's format: named fields and where they were found. */
import type { Skip } from "../skip.ts";

/** A record with named fields. */
export interface Row {
  /** Values by the name that the file gives them. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** For errors: "DIR/train.jsonl: line 17", or "record 17" of a format without lines. */
  readonly where: string;
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
