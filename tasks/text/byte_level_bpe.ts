/**
 * @file Byte-level byte-pair encoding: tokens are runs of bytes, so that every text has tokens and comes back from them.
 *
 * Sennrich et al., arXiv 1508.07909; over bytes as in GPT-2 (Radford et al., 2019), whose division of text into words
 * and whose spelling of bytes the layout of `tokenizer.json` takes over.
 */
import type { Tokenizer } from "./tokenizer.ts";

/** GPT-2's words: merges never cross from one into the next. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Tokens that no text has: one pads, one ends an answer. Text that spells them is text. */
const SPECIAL = ["<|pad|>", "<|stop|>"] as const;

/** Tokens before the first merge: the special ones, then one a byte. */
export const FIRST_MERGE = 258;

/** Most tokens: two of them fit into one number that is exact. */
const MOST = 2 ** 26;

/** Words whose tokens are remembered. */
const REMEMBERED = 2 ** 16;

/** Two tokens, left and right, that are one token from then on. */
export type Merge = readonly [left: number, right: number];

/** A byte-level tokenizer: 2 special tokens, 256 bytes, then a token for each merge, in order. */
export interface ByteLevelBpe extends Tokenizer {
  /** In the order in which they were found: earlier ones go first when a text is encoded. */
  readonly merges: readonly Merge[];
}

/** A file's content in the layout that Hugging Face's tokenizers read. */
export interface TokenizerJson {
  /** The merges, spelled. */
  readonly model: {
    /** The algorithm. */
    readonly type: "BPE";
    /** Tokens by how they are spelled, bytes by printable characters. */
    readonly vocab: Readonly<Record<string, number>>;
    /** Two spellings with a space between, in order. */
    readonly merges: readonly string[];
    /** Settings that are the same in all our files. */
    readonly [setting: string]: unknown;
  };
  /** Parts that are the same in all our files. */
  readonly [part: string]: unknown;
}

/** The words that a text is divided into: they are the text when joined. */
export function wordsOf(text: string): readonly string[] {
  return text.match(WORDS) ?? [];
}

/** The tokens of a text's bytes, before any merge. What is no Unicode (half of a pair) becomes U+FFFD. */
export function byteTokens(text: string): number[] {
  return Array.from(new TextEncoder().encode(text), (byte) => SPECIAL.length + byte);
}

/** Names a pair of tokens by a number. */
export function keyOfPair(left: number, right: number): number {
  return left * MOST + right;
}

/** Puts `merged` in place of each pair of `left` and `right`, from the left. */
export function mergePair(tokens: readonly number[], [left, right]: Merge, merged: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === left && tokens[i + 1] === right) {
      out.push(merged);
      i++;
    } else out.push(tokens[i]!);
  }
  return out;
}

/**
 * A tokenizer of merges.
 *
 * @throws {RangeError} where a merge is of tokens that don't come before it, or makes what there is already: each token
 * is made in one way, so that merges applied one pair at a time or all at once give the same
 */
export function createByteLevelBpe(merges: readonly Merge[]): ByteLevelBpe {
  const pieces = spellings(merges);
  const bytes = pieces.map((piece) => Uint8Array.from(piece, (character) => BYTE_OF.get(character)!));
  const mergedOf = new Map(merges.map(([left, right], i) => [keyOfPair(left, right), FIRST_MERGE + i]));
  const remembered = new Map<string, readonly number[]>();

  const encodeWord = (word: string): readonly number[] => {
    let tokens = byteTokens(word);
    while (tokens.length > 1) {
      let first = Infinity, pair: Merge | undefined;
      for (let i = 1; i < tokens.length; i++) {
        const merged = mergedOf.get(keyOfPair(tokens[i - 1]!, tokens[i]!)) ?? Infinity;
        if (merged < first) [first, pair] = [merged, [tokens[i - 1]!, tokens[i]!]];
      }
      if (!pair) break;
      tokens = mergePair(tokens, pair, first);
    }
    return tokens;
  };

  return {
    merges,
    vocabularySize: pieces.length,
    pad: 0,
    stop: 1,
    encode(text) {
      const tokens: number[] = [];
      for (const word of wordsOf(text)) {
        let own = remembered.get(word);
        if (!own) {
          own = encodeWord(word);
          if (remembered.size === REMEMBERED) remembered.clear();
          remembered.set(word, own);
        }
        for (const token of own) tokens.push(token);
      }
      return Int32Array.from(tokens);
    },
    decode(tokens) {
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      let text = "";
      for (const token of tokens) {
        const piece = bytes[token];
        if (!piece) {
          throw new RangeError(`Cannot decode token ${token}: tokens are 0 to ${pieces.length - 1}`);
        }
        // A special token ends a character that was cut short.
        text += token < SPECIAL.length
          ? decoder.decode() + pieces[token]!
          : decoder.decode(piece, { stream: true });
      }
      return text + decoder.decode();
    },
  };
}

/** The tokenizer in the standard layout, to be kept beside a checkpoint: other programs then give the same tokens. */
export function tokenizerJson({ merges }: ByteLevelBpe): TokenizerJson {
  const pieces = spellings(merges);
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map((piece, token) => [piece, token])),
      merges: merges.map(([left, right]) => `${pieces[left]} ${pieces[right]}`),
    },
  };
}

/**
 * The tokenizer that `tokenizerJson` wrote. Others' files are for `readTokenizer`.
 *
 * @param where the file, for the error
 * @throws {RangeError} where it is none of ours: its tokens are others, or in another order
 */
export function parseTokenizerJson(json: TokenizerJson, where: string): ByteLevelBpe {
  const { vocab, merges } = json.model;
  const refusal = new RangeError(
    `Cannot read ${where}: it is not laid out as this project's byte-level tokenizers are`,
  );
  const tokenOf = (piece: string | undefined) => {
    if (piece === undefined || !Object.hasOwn(vocab, piece)) throw refusal;
    return vocab[piece]!;
  };
  const tokenizer = createByteLevelBpe(merges.map((merge) => {
    const [left, right] = merge.split(" ");
    return [tokenOf(left), tokenOf(right)];
  }));
  if (JSON.stringify(tokenizerJson(tokenizer)) !== JSON.stringify(json)) throw refusal;
  return tokenizer;
}

/** How every token is spelled; bytes by printable characters. @throws {RangeError} as `createByteLevelBpe` does */
function spellings(merges: readonly Merge[]): string[] {
  if (merges.length > MOST - FIRST_MERGE) {
    throw new RangeError(`Cannot make ${merges.length} merges: ${MOST - FIRST_MERGE} at most are possible`);
  }
  const pieces: string[] = [...SPECIAL, ...CHARACTER_OF];
  const known = new Set(pieces);
  for (const [left, right] of merges) {
    for (const token of [left, right]) {
      if (!Number.isInteger(token) || token < SPECIAL.length || token >= pieces.length) {
        throw new RangeError(
          `Cannot make token ${pieces.length} of ${left} and ${right}: tokens ${SPECIAL.length} to ${
            pieces.length - 1
          } are needed`,
        );
      }
    }
    const piece = pieces[left]! + pieces[right]!;
    if (known.has(piece)) {
      throw new RangeError(
        `Cannot make token ${pieces.length} of ${left} and ${right}: "${piece}" is a token already`,
      );
    }
    known.add(piece);
    pieces.push(piece);
  }
  return pieces;
}

/** GPT-2's characters for bytes: those of Latin-1 that are seen stand for themselves, the others for code points from 256. */
const CHARACTER_OF: readonly string[] = (() => {
  let unseen = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const isSeen = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(isSeen ? byte : 256 + unseen++);
  });
})();

const BYTE_OF: ReadonlyMap<string, number> = new Map(
  CHARACTER_OF.map((character, byte) => [character, byte]),
);
