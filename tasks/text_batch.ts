/** @file Text as next-token batches. */
import { type DecoderBatch, IGNORE } from "../models/model.ts";
import { encode, PAD, STOP } from "./tokenizer.ts";

/** A prompt and the answer that should follow it, without the stop token. */
export interface TextExample {
  readonly prompt: string;
  readonly answer: string;
}

/**
 * A batch `[examples, length]` of prompt, answer and stop token, padded on the right.
 *
 * Targets are the answer's characters and the stop token, each at the position before; all others are IGNORE.
 *
 * @throws {RangeError} where an example is longer than `length`
 */
export function answerBatch(examples: readonly TextExample[], length: number): DecoderBatch {
  const shape = [examples.length, length];
  const tokens = new Int32Array(examples.length * length).fill(PAD);
  const targets = new Int32Array(examples.length * length).fill(IGNORE);
  examples.forEach(({ prompt, answer }, row) => {
    const text = encode(prompt + answer);
    if (text.length >= length) {
      throw new RangeError(
        `Cannot fit "${prompt}${answer}" and the stop token into ${length} tokens: they are ${
          text.length + 1
        }`,
      );
    }
    tokens.set(text, row * length);
    targets.set(text.subarray(prompt.length), row * length + prompt.length - 1);
    tokens[row * length + text.length] = STOP;
    targets[row * length + text.length - 1] = STOP;
  });
  return { family: "decoder", tokens: { data: tokens, shape }, targets: { data: targets, shape } };
}

/** A batch `[rows, length]` in which every position counts. Each row is a text of `length` + 1 characters. */
export function runningBatch(rows: readonly string[], length: number): DecoderBatch {
  const shape = [rows.length, length];
  const tokens = new Int32Array(rows.length * length);
  const targets = new Int32Array(rows.length * length);
  rows.forEach((text, row) => {
    const encoded = encode(text);
    tokens.set(encoded.subarray(0, length), row * length);
    targets.set(encoded.subarray(1, length + 1), row * length);
  });
  return { family: "decoder", tokens: { data: tokens, shape }, targets: { data: targets, shape } };
}
