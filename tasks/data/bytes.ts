/** @file Bytes and lines of files that may be compressed with gzip, in pieces. */
import { DataError, reasonOf } from "./data_error.ts";

const GZIP = [0x1f, 0x8b] as const;

/**
 * A file's bytes in pieces, decompressed where the file begins as gzip does, whatever its name.
 *
 * @throws {DataError} where the file can't be read, or its gzip stream is cut short or broken
 */
export async function* readPieces(path: string): AsyncGenerator<Uint8Array> {
  try {
    using file = await Deno.open(path);
    const start = new Uint8Array(2);
    const isGzip = await file.read(start) === 2 && start[0] === GZIP[0] && start[1] === GZIP[1];
    await file.seek(0, Deno.SeekMode.Start);
    if (isGzip) {
      yield* piecesOf(file).pipeThrough(new DecompressionStream("gzip"));
      return;
    }
    yield* piecesOf(file);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** `file.readable` closes the file at the end, where it is this module's to close. */
function piecesOf(file: Deno.FsFile): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const piece = new Uint8Array(1 << 16);
      const count = await file.read(piece);
      if (count === null) controller.close();
      else controller.enqueue(piece.subarray(0, count));
    },
  });
}

/** A file's bytes as one array, decompressed as `readPieces` does. @throws {DataError} as it does */
export async function readWhole(path: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readPieces(path)) pieces.push(piece);
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * A file's text in pieces, without its byte-order mark.
 *
 * @throws {DataError} as `readPieces` does, and where the file is not UTF-8
 */
export async function* readText(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const piece of readPieces(path)) yield decoder.decode(piece, { stream: true });
    yield decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new DataError(`Cannot read ${path}: it is not UTF-8 text`);
    throw error;
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
 * @throws {DataError} as `readText` does
 */
export async function* readLines(path: string): AsyncGenerator<Line> {
  let number = 0, rest = "";
  const line = (text: string): Line => ({
    number: ++number,
    text: text.endsWith("\r") ? text.slice(0, -1) : text,
  });
  for await (const piece of readText(path)) {
    const texts = (rest + piece).split("\n");
    rest = texts.pop()!;
    for (const text of texts) yield line(text);
  }
  if (rest !== "") yield line(rest);
}
