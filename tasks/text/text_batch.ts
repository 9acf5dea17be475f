/** @file Text as next-token batches. */
import { type DecoderBatch, type EncoderBatch, IGNORE } from "../../models/model.ts";
import type { ChatTokens } from "./chat_tokens.ts";
import { characterTokenizer, encode, type Tokenizer } from "./tokenizer.ts";

/** A prompt and the answer that should follow it, without the stop token. */
export interface TextExample {
  /** What the model is given. */
  readonly prompt: string;
  /** What it is to write. */
  readonly answer: string;
  /** Its tokens, where it is a conversation as the model's own template writes it. */
  readonly chat?: ChatTokens;
}

/**
 * A batch `[examples, length]` of prompt, answer and stop token, padded on the right.
 *
 * Targets are the answer's tokens and the stop token, each at the position before; all others are IGNORE. Prompt and
 * answer are encoded apart, so that a trained model meets the prompt's tokens again when it is asked: no token is of
 * both. A tokenizer that puts a space before every text puts one before the answer.
 *
 * @throws {RangeError} where an example is longer than `length`
 */
export function answerBatch(
  examples: readonly TextExample[],
  length: number,
  tokenizer: Tokenizer = characterTokenizer,
): DecoderBatch {
  const shape = [examples.length, length];
  const tokens = new Int32Array(examples.length * length).fill(tokenizer.pad);
  const targets = new Int32Array(examples.length * length).fill(IGNORE);
  examples.forEach(({ prompt, answer, chat }, row) => {
    if (chat) {
      if (chat.tokens.length > length) {
        throw new RangeError(`Cannot fit a conversation of ${chat.tokens.length} tokens into ${length}`);
      }
      tokens.set(chat.tokens, row * length);
      chat.learned.forEach((isLearned, i) => {
        if (isLearned === 1) targets[row * length + i - 1] = chat.tokens[i]!;
      });
      return;
    }
    const asked = promptTokens(prompt, tokenizer), answered = endedTokens(answer, tokenizer);
    if (asked.length + answered.length > length) {
      throw new RangeError(
        `Cannot fit "${prompt}${answer}" and the stop token into ${length} tokens: they are ${
          asked.length + answered.length
        }`,
      );
    }
    if (asked.length === 0) {
      throw new RangeError(`Cannot learn "${answer}" after an empty prompt: 1 token or more is needed`);
    }
    tokens.set(asked, row * length);
    tokens.set(answered, row * length + asked.length);
    targets.set(answered, row * length + asked.length - 1);
  });
  return { family: "decoder", tokens: { data: tokens, shape }, targets: { data: targets, shape } };
}

/** A text, or a pair of texts, and the class that it is of, by its place among the choices. */
export interface ClassExample extends TextExample {
  /** The second text of a pair, of which the prompt is the first. */
  readonly second?: string;
  /** The names of all classes, the answer among them. */
  readonly choices?: readonly string[];
}

/** The place of an example's answer among its choices. */
export function classOf({ answer, choices = [] }: ClassExample): number {
  return choices.indexOf(answer);
}

/** What tells an example from all others: the texts that it asks about. */
export function keyOf({ prompt, second }: ClassExample): string {
  return second === undefined ? prompt : `${prompt}\0${second}`;
}

/** Tokens as a model that classifies reads them, and the kind of each. */
export interface ReadTokens {
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Absent where all are of the first kind, 0. */
  readonly types?: Int32Array<ArrayBuffer>;
}

/**
 * The tokens of a text between those that begin and end it, of a sentence encoder without any, or of a pair as the tokenizer
 * writes one.
 *
 * @throws {RangeError} where the tokenizer has no tokens for a part of a text, or does not know how pairs are written
 */
export function classTokens({ prompt, second }: ClassExample, tokenizer: Tokenizer): ReadTokens {
  if (second === undefined) {
    if (tokenizer.isBare) return { tokens: tokenizer.encode(prompt) };
    return { tokens: Int32Array.of(...promptTokens(prompt, tokenizer), tokenizer.stop) };
  }
  if (!tokenizer.pair) throw new RangeError(`Cannot write a pair of texts: the tokenizer has no form of one`);
  const texts = { first: tokenizer.encode(prompt), second: tokenizer.encode(second) };
  const tokens: number[] = [], types: number[] = [];
  for (const part of tokenizer.pair) {
    const own = "text" in part ? texts[part.text] : [part.token];
    for (const token of own) {
      tokens.push(token);
      types.push(part.type);
    }
  }
  return {
    tokens: Int32Array.from(tokens),
    ...(types.some((type) => type !== 0) && { types: Int32Array.from(types) }),
  };
}

/**
 * A batch of texts, each between the tokens that begin and end it, or of pairs, `[examples, length]`, padded on the right.
 *
 * @throws {RangeError} where an example is longer than `length`
 */
export function classBatch(
  examples: readonly ClassExample[],
  length: number,
  tokenizer: Tokenizer,
): EncoderBatch {
  const shape = [examples.length, length];
  const tokens = new Int32Array(examples.length * length).fill(tokenizer.pad);
  const mask = new Uint32Array(examples.length * length), types = new Int32Array(examples.length * length);
  examples.forEach((example, row) => {
    const { tokens: text, types: kinds } = classTokens(example, tokenizer);
    if (text.length > length) {
      throw new RangeError(`Cannot fit "${example.prompt}" into ${length} tokens: they are ${text.length}`);
    }
    tokens.set(text, row * length);
    if (kinds) types.set(kinds, row * length);
    mask.fill(1, row * length, row * length + text.length);
  });
  return {
    family: "encoder",
    tokens: { data: tokens, shape },
    mask: { data: mask, shape },
    ...(types.some((type) => type !== 0) && { types: { data: types, shape } }),
    targets: { data: Int32Array.from(examples, classOf), shape: [examples.length] },
  };
}

/** True where `answerBatch` can hold an example in `length` tokens: rows are as long as what is trained on and validated. */
export function fitsAnswerBatch(
  { prompt, answer, chat }: TextExample,
  length: number,
  tokenizer: Tokenizer,
): boolean {
  if (chat) return chat.tokens.length <= length;
  return promptTokens(prompt, tokenizer).length + endedTokens(answer, tokenizer).length <= length;
}

/** The tokens of a prompt as `answerBatch` begins with them, and as a model is to be asked. */
export function promptTokens(prompt: string, tokenizer: Tokenizer): Int32Array<ArrayBuffer> {
  const tokens = tokenizer.encode(prompt);
  return tokenizer.start === undefined ? tokens : Int32Array.of(tokenizer.start, ...tokens);
}

/** The tokens of a text and the stop token. */
export function endedTokens(text: string, tokenizer: Tokenizer): Int32Array<ArrayBuffer> {
  return Int32Array.of(...tokenizer.encode(text), tokenizer.stop);
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
