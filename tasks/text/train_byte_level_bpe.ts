/** @file Training byte-level byte-pair encoding: which pairs of tokens occur most often, again and again. */
import {
  type ByteLevelBpe,
  byteTokens,
  createByteLevelBpe,
  FIRST_MERGE,
  keyOfPair,
  type Merge,
  mergePair,
  wordsOf,
} from "./byte_level_bpe.ts";

/** A pair that occurs once says nothing of other texts. */
const LEAST = 2;

interface Word {
  tokens: number[];
  /** How often it occurs. */
  readonly count: number;
}

interface Pair {
  readonly merge: Merge;
  /** Occurrences in all words. */
  count: number;
  /** Those that have it, and some that had it. */
  readonly words: Set<Word>;
}

/**
 * Merges the most frequent pair, counts anew, and goes on until there are enough tokens. Of equally frequent pairs the
 * one with the smaller left token comes first, then that with the smaller right one, so that neither the order of the
 * texts nor the machine matters. A pair whose text is a token already is passed over.
 *
 * Source: Sennrich et al., arXiv 1508.07909, algorithm 1.
 *
 * @param vocabularySize tokens in all, 258 (bytes alone) or more
 * @throws {RangeError} where the texts have too few pairs that occur twice
 */
export function trainByteLevelBpe(texts: Iterable<string>, vocabularySize: number): ByteLevelBpe {
  if (!Number.isInteger(vocabularySize) || vocabularySize < FIRST_MERGE) {
    throw new RangeError(
      `Cannot train a vocabulary of ${vocabularySize} tokens: a whole number from ${FIRST_MERGE} is needed`,
    );
  }
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const pairs = new Map<number, Pair>();
  for (const [word, count] of counts) countPairs(pairs, { tokens: byteTokens(word), count }, 1);

  const merges: Merge[] = [];
  const spelled = Array.from({ length: FIRST_MERGE }, (_, token) => String(token));
  const known = new Set<string>();
  while (FIRST_MERGE + merges.length < vocabularySize) {
    const next = mostFrequent(
      pairs,
      ({ merge: [left, right] }) => !known.has(`${spelled[left]} ${spelled[right]}`),
    );
    if (!next) {
      throw new RangeError(
        `Cannot train a vocabulary of ${vocabularySize} tokens: the texts give ${
          FIRST_MERGE + merges.length
        }`,
      );
    }
    const [left, right] = next.merge, merged = FIRST_MERGE + merges.length;
    const piece = `${spelled[left]} ${spelled[right]}`;
    known.add(piece);
    spelled.push(piece);
    merges.push(next.merge);
    for (const word of [...next.words]) {
      countPairs(pairs, word, -1);
      word.tokens = mergePair(word.tokens, next.merge, merged);
      countPairs(pairs, word, 1);
    }
  }
  return createByteLevelBpe(merges);
}

/** Adds a word's pairs to the counts, or takes them away. */
function countPairs(pairs: Map<number, Pair>, word: Word, sign: 1 | -1): void {
  for (let i = 1; i < word.tokens.length; i++) {
    const left = word.tokens[i - 1]!, right = word.tokens[i]!;
    const key = keyOfPair(left, right);
    let pair = pairs.get(key);
    if (!pair) pairs.set(key, pair = { merge: [left, right], count: 0, words: new Set() });
    pair.count += sign * word.count;
    if (sign > 0) pair.words.add(word);
    if (pair.count === 0) pairs.delete(key);
  }
}

function mostFrequent(pairs: ReadonlyMap<number, Pair>, isNew: (pair: Pair) => boolean): Pair | undefined {
  let best: Pair | undefined;
  for (const pair of pairs.values()) {
    if (pair.count >= LEAST && (!best || comesBefore(pair, best)) && isNew(pair)) best = pair;
  }
  return best;
}

function comesBefore({ merge: [left, right], count }: Pair, other: Pair): boolean {
  if (count !== other.count) return count > other.count;
  return left !== other.merge[0] ? left < other.merge[0] : right < other.merge[1];
}
