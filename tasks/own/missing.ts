/** @file What a file has where a value is missing, and words that may have come from such values. */
import type { Row } from "../data/row.ts";

/** True where there is no value: as a number, "not a number" is none. */
export function isMissing(value: unknown): boolean {
  return value === null || value === undefined || Number.isNaN(value);
}

/** What programs write for a missing value where they write it as a text, as pandas reads it. Some may be meant so. */
const WORDS: ReadonlySet<string> = new Set([
  ...["NaN", "nan", "None", "null", "NULL", "N/A", "n/a", "NA", "<NA>", "#N/A"],
]);

/** True for a word that may stand for a missing value. */
export function mayBeMissing(text: string): boolean {
  return WORDS.has(text);
}

/** A column of an example that holds such a word alone. */
export interface Doubtful {
  /** The column's name. */
  readonly column: string;
  /** The word, e.g. "NaN". */
  readonly word: string;
}

/** Which of some columns hold such a word alone. */
export function doubtfulIn({ fields }: Row, columns: readonly string[]): readonly Doubtful[] {
  return columns.flatMap((column) => {
    const value = fields[column], word = typeof value === "string" ? value.trim() : "";
    return mayBeMissing(word) ? [{ column, word }] : [];
  });
}

/** How many examples have such a word in a column, in the order of their coming. */
export interface DoubtfulCount {
  readonly column: string;
  readonly words: readonly string[];
  readonly examples: number;
}

/** Counts such words by column. */
export function countDoubtful(
  examples: readonly { readonly doubtful: readonly Doubtful[] }[],
): readonly DoubtfulCount[] {
  const columns = Map.groupBy(examples.flatMap(({ doubtful }) => doubtful), ({ column }) => column);
  return Array.from(columns, ([column, found]) => ({
    column,
    words: [...new Set(found.map(({ word }) => word))].sort(),
    examples: found.length,
  }));
}
