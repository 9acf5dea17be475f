/** @file The word tokenizer that the understanding tasks share: one token a word, classes of spelling for other words. */
import type { Tokenizer } from "../text/tokenizer.ts";
import list from "./words.txt" with { type: "text" };

/** The token that fills a row to its length, and the one that decoders start from. */
export const PADDING = 0;

/** The token that ends inputs and targets. */
export const END = 1;

/**
 * What becomes of words that are not listed, by the first ending that fits: names of the classes and their spelling.
 *
 * The name has what the ending is in "<…>", so that a class can't be taken for a word.
 */
const UNKNOWN: readonly (readonly [name: string, spelling: RegExp])[] = [
  ["<number>", /^[0-9]/],
  ...["ing", "ed", "ly", "ness", "tion", "ity", "ment", "able", "al", "ous", "ive", "er", "ist", "ism", "s"]
    .map(
      (ending) => [`<-${ending}>`, new RegExp(`.${ending}$`)] as const,
    ),
  ["<word>", /^[a-z_']/],
  ["<other>", /(?:)/],
];

/** What stands for the i-th gap in a text, as T5's sentinels do. */
export const GAPS: readonly string[] = Array.from({ length: 4 }, (_, i) => `<gap-${i}>`);

/** The tokens that come before all words. */
export const SPECIAL: readonly string[] = ["<padding>", "<end>", ...UNKNOWN.map(([name]) => name), ...GAPS];

/** Every token's word: the special ones, then a word a line of words.txt. A token is its index here. */
export const WORDS: readonly string[] = [...SPECIAL, ...list.trimEnd().split("\n")];

/** How many tokens there are: 2,048. */
export const WORDS_SIZE: number = WORDS.length;

const tokenOf: ReadonlyMap<string, number> = new Map(WORDS.map((word, token) => [word, token]));

/** The words of a text in lower case: runs of letters (with "_" and "'"), of digits, and other characters one by one. */
export function splitWords(text: string): string[] {
  return text.toLowerCase().match(/<gap-\d>|[a-z_']+|[0-9]+|[^\sa-z0-9_']/g) ?? [];
}

/** The tokens of a text's words, `[words]`, without the end. No text is refused: unlisted words become their class. */
export function encodeWords(text: string): Int32Array<ArrayBuffer> {
  return Int32Array.from(splitWords(text), (word) => tokenOf.get(word) ?? tokenOf.get(classOf(word))!);
}

/**
 * The words of some tokens, with spaces between.
 *
 * @throws {RangeError} where a token is none
 */
export function decodeWords(tokens: Iterable<number>): string {
  return Array.from(tokens, (token) => {
    const word = WORDS[token];
    if (word === undefined) {
      throw new RangeError(`Cannot decode token ${token}: tokens are 0 to ${WORDS_SIZE - 1}`);
    }
    return word;
  }).join(" ");
}

/** The word tokenizer in the shape of any other. */
export const wordTokenizer: Tokenizer = {
  vocabularySize: WORDS_SIZE,
  pad: PADDING,
  stop: END,
  encode: encodeWords,
  decode: decodeWords,
};

function classOf(word: string): string {
  return UNKNOWN.find(([, spelling]) => spelling.test(word))![0];
}
