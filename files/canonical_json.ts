/** @file JSON in which equal values have equal text, and hashes of values by it. */

/** JSON with sorted keys and no white space: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) return joinFields(value, canonicalJson);
  return JSON.stringify(value);
}

/** An object as JSON: its fields sorted by key, each value in the text that `textOf` gives it. Undefined ones are left out. */
export function joinFields(value: object, textOf: (item: unknown) => string): string {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined).sort(([a], [b]) =>
    a < b ? -1 : 1
  );
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${textOf(item)}`).join(",")}}`;
}

/** SHA-256 of a value's canonical JSON, as 64 hex digits. */
export async function digestOf(value: unknown): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonicalJson(value)));
  return new Uint8Array(digest).toHex();
}
