/** @file The character tokenizer that every text task shares: one token per character, a fixed alphabet. */

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
