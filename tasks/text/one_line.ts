/** @file Real texts nearer to the shared alphabet: on one line, in lower case. */

/** A text in lower case on one line, with single spaces: the alphabet has no capitals, and a newline ends an answer. */
export function onOneLine(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, " ").trim();
}
