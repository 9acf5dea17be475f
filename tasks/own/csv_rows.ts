/** @file Rows of comma-separated files, as RFC 4180 and spreadsheets write them. */
import { MOST_CHARACTERS, readText } from "../data/bytes.ts";
import { DataError } from "../data/data_error.ts";
import { columnNames, type Row, wrongCount } from "../data/row.ts";
import { requireMark } from "./header.ts";

/**
 * A file's rows, whose first line has the names of the columns. Fields in quotation marks may hold commas, line ends and
 * doubled quotation marks. Empty lines are passed over.
 *
 * @throws {DataError} naming file and line where a line has more or fewer fields than there are columns, where a column has
 * the name of another, where text follows a closing quotation mark, and where one is never closed
 */
export async function* readCsvRows(path: string): AsyncGenerator<Row> {
  let names: readonly string[] | null = null;
  for await (const { fields, line } of recordsOf(path)) {
    const where = `${path}: line ${line}`;
    if (names === null) {
      names = namesIn(fields, where);
      continue;
    }
    if (fields.length !== names.length) throw wrongCount(where, fields.length, names.length);
    yield { fields: Object.fromEntries(names.map((name, i) => [name, fields[i]!])), where };
  }
}

/** Names of a file's columns; none where the file is empty. @throws {DataError} as `readCsvRows` does */
export async function csvColumns(path: string): Promise<readonly string[]> {
  for await (const { fields, line } of recordsOf(path)) {
    return namesIn(fields, `${path}: line ${line}`);
  }
  return [];
}

/** @throws {DataError} where the first line is no list of names between commas */
function namesIn(fields: readonly string[], where: string): readonly string[] {
  const [first = ""] = fields;
  const refuse = (reason: string) => {
    throw new DataError(`Cannot read ${where} ${reason}`);
  };
  // Excel writes it, and reads it alone.
  if (/^sep=/i.test(first)) refuse(`is "${first}", the names of the columns are needed, with commas between`);
  if (fields.some((name) => name.includes("\r"))) {
    refuse("has a carriage return within a name: lines that end in a line feed are needed");
  }
  requireMark(fields, ",", where);
  return columnNames(fields, where);
}

interface CsvRecord {
  readonly fields: readonly string[];
  /** The line that it begins on, from 1. */
  readonly line: number;
}

async function* recordsOf(path: string): AsyncGenerator<CsvRecord> {
  // Where a field stands: before its first character, in one without quotation marks, inside of them, or behind them.
  let state: "start" | "plain" | "quoted" | "closed" = "start";
  let fields: string[] = [], parts: string[] = [], length = 0;
  let line = 1, began = 1;
  const endField = () => {
    fields.push(parts.join(""));
    parts = [];
    state = "start";
  };
  const endRecord = (): CsvRecord | null => {
    // Of "\r\n" the first is no part of the text before it.
    if (state === "plain") parts = [parts.join("").replace(/\r$/, "")];
    const isEmpty = fields.length === 0 && state !== "closed" && parts.join("") === "";
    if (!isEmpty) endField();
    state = "start";
    parts = [];
    const record = isEmpty ? null : { fields, line: began };
    fields = [];
    length = 0;
    return record;
  };
  for await (const piece of readText(path)) {
    // What is plain is taken whole, up to the next character that means something.
    const special = /[,\n]/g;
    for (let at = 0; at < piece.length;) {
      const character = piece[at]!;
      if (state === "quoted") {
        const end = piece.indexOf('"', at);
        const text = piece.slice(at, end < 0 ? piece.length : end);
        for (let from = text.indexOf("\n"); from >= 0; from = text.indexOf("\n", from + 1)) line++;
        parts.push(text);
        length += text.length;
        at += text.length;
        if (length > MOST_CHARACTERS) throw tooLong(path, began);
        if (end >= 0) {
          state = "closed";
          at++;
        }
        continue;
      }
      at++;
      if (state === "closed" && character === '"') {
        parts.push('"');
        length++;
        state = "quoted";
      } else if (character === ",") endField();
      else if (character === "\n") {
        const record = endRecord();
        if (record) yield record;
        began = ++line;
      } else if (state === "closed" && character === "\r") {
        // Part of the line's end.
      } else if (state === "closed") {
        throw new DataError(
          `Cannot read ${path}: line ${line} has ${
            JSON.stringify(character)
          } behind a closing quotation mark`,
        );
      } else if (character === '"' && state === "start") state = "quoted";
      else {
        special.lastIndex = at;
        const end = special.exec(piece)?.index ?? piece.length;
        parts.push(piece.slice(at - 1, end));
        length += end - at + 1;
        at = end;
        state = "plain";
        if (length > MOST_CHARACTERS) throw tooLong(path, began);
      }
    }
  }
  if (state === "quoted") {
    throw new DataError(
      `Cannot read ${path}: line ${began} begins a field in quotation marks that does not end (cut short?)`,
    );
  }
  const last = endRecord();
  if (last) yield last;
}

function tooLong(path: string, line: number): DataError {
  return new DataError(
    `Cannot read ${path}: line ${line} begins a record of more than ${
      MOST_CHARACTERS.toLocaleString("en-US")
    } characters`,
  );
}
