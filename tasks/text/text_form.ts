/** @file The form in which a model takes texts: in which tokens, how many, and what does not fit. */
import type { Skip } from "../skip.ts";
import type { ModelNeeds } from "../task.ts";
import { type ClassExample, classTokens } from "./text_batch.ts";
import { characterTokenizer, type Tokenizer, VOCABULARY_SIZE } from "./tokenizer.ts";

/** Which tokens a model takes, and how many. */
export interface TextForm {
  /** Between texts and tokens. */
  readonly tokenizer: Tokenizer;
  /** What the model must be built for. Its input size is the most tokens of an example, see `ifFits`. */
  readonly needs: ModelNeeds;
  /** Tokens of a batch's rows, of an encoder-decoder's inputs: the input size or fewer. */
  readonly length: number;
}

/** Most tokens of an answer that is written to be scored: HumanEval's own answers have up to 2,000 characters. */
export const MOST_TOKENS = 1024;

/** The form of the project's own decoders: a token per character of the alphabet, rows of `length`. */
export function characterForm(length: number): TextForm {
  return {
    tokenizer: characterTokenizer,
    needs: { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: length },
    length,
  };
}

/** An example and how many tokens of the input size it takes. */
export type Counted<T> = T & { readonly tokens: number };

/**
 * The example, or why the model can't take it. A decoder's input has room for prompt, answer and the stop token, an
 * encoder-decoder's for prompt and stop token, an encoder's for a text or a pair with the tokens around. A text that spells out
 * the token that pads or ends can't be told from one that is padded or ends there; a chat template spells them out itself.
 */
export function ifFits<T extends ClassExample>(
  example: T,
  { tokenizer, needs }: Pick<TextForm, "tokenizer" | "needs">,
): Counted<T> | Skip {
  const fitting = (tokens: number): Counted<T> | Skip =>
    tokens > needs.inputSize ? { skip: { kind: "too-long", most: needs.inputSize } } : { ...example, tokens };
  if (example.chat) return fitting(example.chat.tokens.length);
  const isEncoder = needs.family === "encoder", { pad, stop, start } = tokenizer;
  if (isEncoder && example.second !== undefined && !tokenizer.pair) return NO_PAIRS;
  // A class is written by no tokens.
  const written = isEncoder ? example.second ?? "" : example.answer;
  let texts: readonly Int32Array[];
  try {
    texts = [example.prompt, written].map((text) => tokenizer.encode(text));
  } catch (error) {
    if (error instanceof RangeError) return LACKING;
    throw error;
  }
  if (texts.some((text) => text.includes(stop) || text.includes(pad))) return LACKING;
  const [prompt, answer] = texts as [Int32Array, Int32Array];
  const tokens = isEncoder
    ? classTokens(example, tokenizer).tokens.length
    : prompt.length + (start === undefined ? 0 : 1) + (needs.family === "decoder" ? answer.length : 0) + 1;
  return fitting(tokens);
}

const NO_PAIRS: Skip = { skip: { kind: "pair" } };
const LACKING: Skip = { skip: { kind: "unknown-characters" } };

/** The text of an answer; nothing where a token has none: a model's vocabulary may be longer than its tokenizer's. */
export function decodeWhole(tokens: Int32Array, tokenizer: Tokenizer): string {
  try {
    return tokenizer.decode(tokens);
  } catch (error) {
    if (error instanceof RangeError) return "";
    throw error;
  }
}
