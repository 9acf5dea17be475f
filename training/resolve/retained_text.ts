/** @file A text of the user's that forgetting is told by: its rows of tokens, as a decoder in a folder reads them. */
import { hashFile } from "../../files/file_hash.ts";
import type { DecoderBatch } from "../../models/model.ts";
import { DataError, reasonOf } from "../../tasks/data/data_error.ts";
import { inBatches } from "../../tasks/examples.ts";
import type { TaskModel } from "../../tasks/task.ts";
import { readModelTokenizer } from "../../tasks/text/hugging_face_tokenizer.ts";
import type { TextFile } from "../run.ts";
import { validateChangedFiles } from "./fingerprint.ts";

/** Bytes that are read, from the file's begin: more than all rows take. */
const MOST_BYTES = 2 ** 17;
/** Most rows, and most tokens of one. */
const MOST_ROWS = 32, MOST_TOKENS = 256;
/** Rows of a batch: what a large vocabulary has room for. */
const AT_ONCE = 4;

/** The rows of a text. */
export interface RetainedText {
  readonly rows: number;
  /** Tokens of a row. */
  readonly length: number;
  /** All rows in a few batches, always the same. */
  batches(): Iterable<DecoderBatch>;
}

/**
 * SHA-256 over a text's bytes, in hex.
 *
 * @param model the id of the model that it is for
 * @throws {DataError} where the file can't be read
 * @throws {UserError} where it is another than was noted
 */
export async function fingerprintOfText({ path, fingerprint }: TextFile, model: string): Promise<string> {
  let found: string;
  try {
    found = await hashFile(path);
  } catch (error) {
    throw refused(path, reasonOf(error));
  }
  validateChangedFiles(`tell by ${path} what model "${model}" forgets`, fingerprint, found);
  return found;
}

/**
 * Cuts the begin of a text into rows that a decoder reads, one behind the other, each after the token that begins a text.
 *
 * @throws {DataError} where the file can't be read, is no text in UTF-8, or has fewer than two tokens; and where the model's
 * tokenizer can't be read
 */
export async function readRetainedText({ path }: TextFile, model: TaskModel): Promise<RetainedText> {
  const text = await readBegin(path), purpose = `tell by ${path} what a model forgets`;
  const { tokenizer: { start, encode } } = await readModelTokenizer(model, purpose);
  let tokens: Int32Array;
  try {
    tokens = encode(text);
  } catch (error) {
    if (error instanceof RangeError) throw refused(path, error.message);
    throw error;
  }
  const begin = start === undefined ? [] : [start];
  // A row has a target for each of its tokens: the last one is that of the row behind the end.
  const length = Math.min(MOST_TOKENS, model.inputSize, begin.length + tokens.length - 1);
  if (length < 1) {
    throw refused(
      path,
      `it has ${tokens.length} token${tokens.length === 1 ? "" : "s"}, 2 or more are needed`,
    );
  }
  const own = length + 1 - begin.length, count = Math.min(MOST_ROWS, Math.floor(tokens.length / own));
  const rows = Array.from(
    { length: count },
    (_, i) => [...begin, ...tokens.subarray(i * own, (i + 1) * own)],
  );
  return {
    rows: count,
    length,
    *batches() {
      for (const some of inBatches(rows, AT_ONCE)) {
        const shape = [some.length, length];
        yield {
          family: "decoder",
          tokens: { data: Int32Array.from(some.flatMap((row) => row.slice(0, -1))), shape },
          targets: { data: Int32Array.from(some.flatMap((row) => row.slice(1))), shape },
        };
      }
    },
  };
}

async function readBegin(path: string): Promise<string> {
  const bytes = new Uint8Array(MOST_BYTES);
  let count = 0;
  try {
    using file = await Deno.open(path);
    for (let more; count < MOST_BYTES && (more = await file.read(bytes.subarray(count))) !== null;) {
      count += more;
    }
  } catch (error) {
    throw refused(path, reasonOf(error));
  }
  try {
    // A letter that the last byte cuts is left out.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, count), { stream: true });
  } catch {
    throw refused(path, "it is no text in UTF-8");
  }
}

function refused(path: string, reason: string): DataError {
  return new DataError(`Cannot tell by ${path} what a model forgets: ${reason}`);
}
