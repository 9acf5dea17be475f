/** @file Bytes and lines of files that may be compressed with gzip, in pieces. */
import { DataError, reasonOf } from "./data_error.ts";
import { openFile } from "./open_file.ts";

const GZIP = [0x1f, 0x8b] as const;

/**
 * Most bytes that a file may unpack to, however well it is packed: more than twice what the largest of the published files
 * has (MetaMathQA's). What is larger can be unpacked on disk, where its size is seen.
 */
const MOST_UNPACKED = 2 ** 30;
/** Small files may unpack to so much, whatever their size. */
const LEAST_UNPACKED = 2 ** 26;
/** Others to so many times their size: texts and images reach about ten, and what is made to fill memory a thousand. */
const UNPACKED_TIMES = 100;

/** Bytes that are read at once. */
const PLAIN_PIECE = 2 ** 16;
/** Bytes of gzip or zlib that are unpacked at once: they become a thousand times as many at most. */
export const PACKED_PIECE = 2 ** 14;

/** Most characters of a line, or of an object in JSON: published ones stay far below, and each is held as one text. */
export const MOST_CHARACTERS = 2 ** 24;

/**
 * A file's bytes in pieces, decompressed where the file begins as gzip does, whatever its name.
 *
 * @throws {DataError} where the file can't be read, its gzip stream is cut short or broken, or unpacks to too much
 */
export async function* readPieces(path: string): AsyncGenerator<Uint8Array> {
  using file = await openFile(path);
  let isGzip = false;
  try {
    const start = new Uint8Array(2);
    isGzip = await file.read(start) === 2 && start[0] === GZIP[0] && start[1] === GZIP[1];
    // Not by `stat`: Deno asks there for leave to read where a link leads, which it asks nowhere else.
    const size = await file.seek(0, Deno.SeekMode.End);
    await file.seek(0, Deno.SeekMode.Start);
    if (!isGzip) {
      yield* piecesOf(file, PLAIN_PIECE);
      return;
    }
    const most = Math.min(MOST_UNPACKED, Math.max(LEAST_UNPACKED, UNPACKED_TIMES * size));
    let length = 0;
    for await (const piece of piecesOf(file, PACKED_PIECE).pipeThrough(new DecompressionStream("gzip"))) {
      length += piece.length;
      if (length > most) {
        throw new DataError(
          `Cannot read ${path}: its ${inWords(size)} unpack to more than ${
            inWords(most)
          }, the limit for a file of that size`,
        );
      }
      yield piece;
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    // The decoder has no words for people; the system's errors are none of its.
    const isBroken = isGzip && error instanceof TypeError;
    throw new DataError(
      `Cannot read ${path}: ${isBroken ? "its gzip stream is cut short or broken" : reasonOf(error)}`,
    );
  }
}

function inWords(bytes: number): string {
  return `${bytes.toLocaleString("en-US")} bytes`;
}

/** `file.readable` closes the file at the end, where it is this module's to close. */
function piecesOf(file: Deno.FsFile, length: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const piece = new Uint8Array(length);
      const count = await file.read(piece);
      if (count === null) controller.close();
      else controller.enqueue(piece.subarray(0, count));
    },
  });
}

/**
 * A file's text in pieces, without its byte-order mark.
 *
 * @throws {DataError} as `readPieces` does, and where the file is not UTF-8
 */
export async function* readText(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let isFirst = true;
  try {
    for await (const piece of readPieces(path)) {
      if (isFirst) requireNoUtf16(piece, path);
      isFirst = false;
      yield decoder.decode(piece, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new DataError(`Cannot read ${path}: it is not UTF-8 text`);
    throw error;
  }
}

/** What spreadsheets write as "Unicode text", with or without its mark. @throws {DataError} */
function requireNoUtf16(start: Uint8Array, path: string): void {
  const [first, second] = start, mark = [0xff, 0xfe];
  if (mark.includes(first!) && mark.includes(second!) && first !== second) {
    throw new DataError(`Cannot read ${path}: it is UTF-16 text, UTF-8 is needed`);
  }
  if (start.subarray(0, 4).includes(0)) {
    throw new DataError(
      `Cannot read ${path}: there are zero bytes in its first four, as in UTF-16 text, UTF-8 is needed`,
    );
  }
}

/** A line of a file. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its end. */
  readonly text: string;
}

/**
 * A file's lines, which end with "\n" or "\r\n"; a lone "\r" is a character as any other. Empty lines count and come
 * along.
 *
 * @throws {DataError} as `readText` does, and where a line is longer than `MOST_CHARACTERS`
 */
export async function* readLines(path: string): AsyncGenerator<Line> {
  // A line's beginnings are joined once it ends: joining each with the next would copy long lines again and again.
  let number = 0, parts: string[] = [], length = 0;
  const line = (end: string): Line => {
    const text = parts.length === 0 ? end : parts.join("") + end;
    parts = [];
    length = 0;
    return { number: ++number, text: text.endsWith("\r") ? text.slice(0, -1) : text };
  };
  for await (const piece of readText(path)) {
    const texts = piece.split("\n"), rest = texts.pop()!;
    for (const text of texts) yield line(text);
    if (rest !== "") parts.push(rest);
    length += rest.length;
    if (length > MOST_CHARACTERS) {
      throw new DataError(
        `Cannot read ${path}: line ${number + 1} has more than ${
          MOST_CHARACTERS.toLocaleString("en-US")
        } characters`,
      );
    }
  }
  if (length > 0) yield line("");
}
