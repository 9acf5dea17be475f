/** @file JSON that gives back every number as it was: NaN, infinities, −0 and arrays of 32-bit integers too. */

/** What stands for what JSON has no words for; no object of ours has this key. */
const TAG = "#";

/** A value as JSON text. */
export function toExactJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (item instanceof Int32Array) return { [TAG]: "i32", of: [...item] };
    if (typeof item !== "number" || (Number.isFinite(item) && !Object.is(item, -0))) return item;
    return { [TAG]: Object.is(item, -0) ? "-0" : String(item) };
  });
}

/** The value of `toExactJson`'s text. @throws {SyntaxError} where it is no JSON */
export function fromExactJson(text: string): unknown {
  return JSON.parse(text, (_, item) => {
    const tag = item?.[TAG];
    return tag === undefined ? item : tag === "i32" ? Int32Array.from(item.of) : Number(tag);
  });
}
