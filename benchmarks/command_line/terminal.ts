/** @file Text on a terminal: its colours and its width. */

/** Marks a text. */
type Mark = (text: string) => string;

/** How texts are marked: with colours, or not at all. */
export interface Style {
  readonly bold: Mark;
  readonly dim: Mark;
  readonly green: Mark;
  readonly yellow: Mark;
  readonly red: Mark;
}

const asItIs: Mark = (text) => text;

/** No colours. */
export const plain: Style = { bold: asItIs, dim: asItIs, green: asItIs, yellow: asItIs, red: asItIs };

/** The terminal's own colours, by ECMA-48's codes. */
export const coloured: Style = {
  bold: (text) => `\x1b[1m${text}\x1b[22m`,
  dim: (text) => `\x1b[2m${text}\x1b[22m`,
  green: (text) => `\x1b[32m${text}\x1b[39m`,
  yellow: (text) => `\x1b[33m${text}\x1b[39m`,
  red: (text) => `\x1b[31m${text}\x1b[39m`,
};

/** The style that fits where output goes: colours on a terminal, unless the variable NO_COLOR is set. */
export function styleFor(to: "stdout" | "stderr"): Style {
  return Deno[to].isTerminal() && !Deno.noColor ? coloured : plain;
}

/** Columns of the terminal; without end where output goes elsewhere. */
export function columnsOf(to: "stdout" | "stderr"): number {
  // A terminal that does not know its width says 0.
  return Deno[to].isTerminal() ? Deno.consoleSize().columns || 80 : Infinity;
}

/** The codes of colours, which take no column. */
const CODES = new RegExp("\x1b\\[\\d+m", "g");

/** Columns that a text takes. */
function lengthOf(text: string): number {
  return text.replaceAll(CODES, "").length;
}

/** A text in lines of at most so many characters, broken between words. Longer words have a line of their own. */
export function fold(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && lengthOf(last) + 1 + lengthOf(word) <= width) {
      lines.push(`${lines.pop()} ${word}`);
    } else lines.push(word);
  }
  return lines;
}

/**
 * A line in lines that fit a width, broken between words. Further lines begin where the first one does, or, where two blanks
 * part a name from a text, where that text does.
 */
export function wrap(line: string, width: number): string {
  const [, indent = ""] = /^( *(?:\S+ {2,})?)/.exec(line)!;
  if (lengthOf(line) <= width || indent.length > width / 2) return line;
  const [first, ...rest] = fold(line.slice(indent.length), width - indent.length);
  return [`${indent}${first}`, ...rest.map((one) => `${" ".repeat(indent.length)}${one}`)].join("\n");
}

/** A text that is not longer than the width, cut with "…" where it would be. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/**
 * A table in columns, the heads dimmed. Of a table that is wider than the terminal the last columns are left out. Columns of
 * numbers stand at their right edge.
 */
export function toColumns(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  { dim }: Style,
): string[] {
  const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i]!.length)));
  const areNumbers = columns.map((_, i) => rows.every((row) => /^[\d.+−—-]+$/.test(row[i]!)));
  const ends = widths.map((_, i) => widths.slice(0, i + 1).reduce((sum, one) => sum + one) + 2 * i);
  const count = Math.max(1, ends.filter((end) => end <= width).length);
  const line = (cells: readonly string[]) =>
    cells.slice(0, count).map((cell, i) =>
      areNumbers[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
    ).join("  ").trimEnd();
  return [dim(line(columns)), ...rows.map(line)];
}
