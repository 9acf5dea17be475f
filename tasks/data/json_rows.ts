/** @file Rows of JSON files: one object a line (JSONL), or one array of objects. */
import { DEEPEST } from "../../files/json_file.ts";
import { MOST_CHARACTERS, readText } from "./bytes.ts";
import { DataError, reasonOf } from "./data_error.ts";
import type { Row } from "./row.ts";

const WHITE = " \t\r\n";

/**
 * The objects of a file: of its one array, or one after the other. White space and line ends between them are free, so
 * that JSONL, pretty-printed objects and arrays are all read; only one object at a time is held as text.
 *
 * @throws {DataError} naming file and line where the text isn't JSON, ends within an object, has something else, an object
 * of more than `MOST_CHARACTERS`, or one that is nested more than 100 levels deep
 */
export async function* readJsonRows(path: string): AsyncGenerator<Row> {
  for await (const { text, line } of jsonTexts(path)) {
    const where = `${path}: line ${line}`;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      // The reason may name a line too: it is one of the object's own.
      throw new DataError(
        `Cannot read ${where} begins an object that is not JSON (within it: ${reasonOf(error)})`,
      );
    }
    yield { fields: value as Record<string, unknown>, where };
  }
}

/** The texts of the file's outermost objects, with the lines that they begin on. */
async function* jsonTexts(path: string): AsyncGenerator<{ readonly text: string; readonly line: number }> {
  // What is open: the array around all; then the depth within an object, and whether that is inside a string.
  let array: "unseen" | "none" | "open" | "closed" = "unseen";
  let depth = 0, inString = false, escaped = false;
  let line = 1, began = 1;
  let parts: string[] = [], length = 0;
  const fault = (found: string) =>
    new DataError(`Cannot read ${path}: line ${line} has ${found} where an object is needed`);
  for await (const piece of readText(path)) {
    let start = depth > 0 ? 0 : -1;
    for (let i = 0; i < piece.length; i++) {
      const character = piece[i]!;
      if (character === "\n") line++;
      if (depth === 0) {
        if (WHITE.includes(character)) continue;
        if (array === "closed") throw fault(`${JSON.stringify(character)} after the array's end,`);
        if (character === "{") {
          if (array === "unseen") array = "none";
          depth = 1;
          start = i;
          began = line;
        } else if (character === "[" && array === "unseen") array = "open";
        else if (character === "]" && array === "open") array = "closed";
        else if (character !== "," || array !== "open") throw fault(JSON.stringify(character));
        continue;
      }
      if (escaped) escaped = false;
      else if (inString) {
        if (character === "\\") escaped = true;
        else if (character === '"') inString = false;
        // A line end cannot be part of a string, so an object that was cut short is found on its own line.
        else if (character === "\n") throw cutShort(path, began);
      } else if (character === '"') inString = true;
      else if (character === "{" || character === "[") {
        if (++depth > DEEPEST) {
          throw new DataError(
            `Cannot read ${path}: line ${line} is nested more than ${DEEPEST} levels deep`,
          );
        }
      } else if (character === "}" || character === "]") {
        if (--depth > 0) continue;
        parts.push(piece.slice(start, i + 1));
        yield { text: parts.join(""), line: began };
        parts = [];
        length = 0;
        start = -1;
      }
    }
    if (start < 0) continue;
    parts.push(piece.slice(start));
    length += piece.length - start;
    if (length > MOST_CHARACTERS) {
      throw new DataError(
        `Cannot read ${path}: line ${began} begins an object of more than ${
          MOST_CHARACTERS.toLocaleString("en-US")
        } characters`,
      );
    }
  }
  if (depth > 0) throw cutShort(path, began);
  if (array === "open") throw new DataError(`Cannot read ${path}: it ends within its array, at line ${line}`);
}

function cutShort(path: string, line: number): DataError {
  return new DataError(`Cannot read ${path}: line ${line} begins an object that does not end (cut short?)`);
}
