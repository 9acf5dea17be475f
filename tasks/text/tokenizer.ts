/** @file What a tokenizer is, and the one that every generated text task shares: a token per character, a fixed alphabet. */

/** A part of a pair: one of its texts, or a token before, between or behind them. */
export type PairPart =
  & (
    | { readonly text: "first" | "second" }
    | { readonly token: number }
  )
  & {
    /** The kind of its tokens, by which a model tells a first text from a second. */
    readonly type: number;
  };

/** Between texts and a model's tokens. */
export interface Tokenizer {
  /** How many tokens there are: 0 to one less. */
  readonly vocabularySize: number;
  /** The token that fills a row to its length. */
  readonly pad: number;
  /** The token that ends an answer. */
  readonly stop: number;
  /** All tokens that may end what a model writes, `stop` among them; absent where that is the only one. */
  readonly stops?: readonly number[];
  /** Tokens that are no part of a text, such as those that begin and end a turn of a chat; absent where nothing says it. */
  readonly special?: ReadonlySet<number>;
  /** The token that the model expects before a text; absent where it expects none. */
  readonly start?: number;
  /** How a pair of texts is written for a model that classifies; absent where nothing says it. */
  readonly pair?: readonly PairPart[];
  /** The token that stands for parts of a text without one of their own; absent where such texts have no tokens. */
  readonly unknown?: number;
  /** True where a model that classifies reads a text's tokens alone, without those that begin and end one. */
  readonly isBare?: true;
  /** The tokens of a text, without those above. @throws {RangeError} where it has no tokens for a part of the text */
  encode(text: string): Int32Array<ArrayBuffer>;
  /** The text of some tokens, those above spelled out. @throws {RangeError} where there is no such token */
  decode(tokens: Iterable<number>): string;
}

/**
 * The alphabet: a character's token is its index here.
 *
 * Token 0 ("\0") pads, token 1 (newline) ends an answer; then space, a to z, 0 to 9 and punctuation, the last of
 * it enough for small code. The order is part of every checkpoint: append to it, never reorder it.
 */
export const ALPHABET = "\0\n abcdefghijklmnopqrstuvwxyz0123456789.,:;?!'+-*/%=()<>";

/** How many tokens there are: 56. */
export const VOCABULARY_SIZE: number = ALPHABET.length;

/** The token that fills a row to its length. */
export const PAD = 0;

/** The token that ends an answer, a newline. */
export const STOP = 1;

const tokenOf: ReadonlyMap<string, number> = new Map(
  [...ALPHABET].map((character, token) => [character, token]),
);

/**
 * The tokens of a text, `[characters]`.
 *
 * @throws {RangeError} where a character is not in the alphabet
 */
export function encode(text: string): Int32Array<ArrayBuffer> {
  return Int32Array.from([...text], (character) => {
    const token = tokenOf.get(character);
    if (token === undefined) {
      throw new RangeError(
        `Cannot encode ${JSON.stringify(character)} of ${JSON.stringify(text)}: it is not in the alphabet`,
      );
    }
    return token;
  });
}

/**
 * The text of some tokens, pads included (as "\0"), so that it equals another text only where all tokens do.
 *
 * @throws {RangeError} where a token is not in the alphabet
 */
export function decode(tokens: Iterable<number>): string {
  let text = "";
  for (const token of tokens) {
    const character = ALPHABET[token];
    if (character === undefined) {
      throw new RangeError(`Cannot decode token ${token}: tokens are 0 to ${VOCABULARY_SIZE - 1}`);
    }
    text += character;
  }
  return text;
}

/** The character tokenizer in the shape of any other. */
export const characterTokenizer: Tokenizer = {
  vocabularySize: VOCABULARY_SIZE,
  pad: PAD,
  stop: STOP,
  encode,
  decode,
};
