/** @file What a page carries for its script: JSON, deflated, as text that no name in it can break out of. */

/** Deflated JSON in base 64: letters, digits, `+`, `/` and `=`, whatever the value holds. The page's script reads it. */
export async function pack(value: unknown): Promise<string> {
  const stream = new Blob([JSON.stringify(value)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer()).toBase64();
}

/** A list of flat objects, field by field: names of fields and values that repeat are there once. */
export interface Columns {
  readonly length: number;
  readonly fields: readonly Column[];
}

/** One field of all rows: numbers as they are; else each row's place among the distinct values, -1 where it has no such field. */
export type Column =
  | { readonly name: string; readonly numbers: readonly number[] }
  | { readonly name: string; readonly values: readonly unknown[]; readonly at: readonly number[] };

/** Turns rows into columns. */
export function toColumns(objects: readonly object[]): Columns {
  const rows = objects as readonly Readonly<Record<string, unknown>>[];
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return {
    length: rows.length,
    fields: names.map((name): Column => {
      const all = rows.map((row) => row[name]);
      if (all.every((value) => typeof value === "number" && Number.isFinite(value))) {
        return { name, numbers: all as number[] };
      }
      const places = new Map<string, number>(), values: unknown[] = [];
      const at = rows.map((row, i) => {
        if (!Object.hasOwn(row, name) || all[i] === undefined) return -1;
        const key = JSON.stringify(all[i]);
        if (!places.has(key)) places.set(key, values.push(all[i]) - 1);
        return places.get(key)!;
      });
      return { name, values, at };
    }),
  };
}
