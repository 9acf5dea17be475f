/** @file How words.txt was chosen: what generated sentences need, and the words that glosses have most often. */
import { BASE_LEXICON, formsOf, NEW_LEXICON } from "./lexicon.ts";
import { GRAMMARS } from "./grammars.ts";
import { NOUN_KINDS, type Synsets, VERB_KINDS } from "./wordnet.ts";
import { SPECIAL, splitWords } from "./words.ts";

/** Tokens in all. */
const SIZE = 2048;

/** Words of the grammars that are in no lexicon, and of the prompts. */
const FUNCTION_WORDS = (
  "the a some every no all this these that those in near by was not did has have had himself themselves never nobody " +
  "i found find very really quite so but although even though , : ? who what where when and 1 2 " +
  "cola sst mrpc qnli mnli wordnet sentence question hypothesis premise noun verb main plain correct"
).split(" ");

/** The words of words.txt in order. Glosses are those that a base checkpoint may see. */
export function makeWordList({ pretraining }: Synsets): string[] {
  const words = new Set([
    ...FUNCTION_WORDS,
    ...GRAMMARS.flatMap(({ labels }) => labels),
    ...NOUN_KINDS,
    ...VERB_KINDS,
    ...formsOf(BASE_LEXICON),
    ...formsOf(NEW_LEXICON),
  ]);
  const counts = new Map<string, number>();
  for (const { gloss } of [...pretraining.nouns, ...pretraining.verbs]) {
    for (const word of splitWords(gloss)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const byCount = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([word]) => word);
  for (const word of byCount) {
    if (words.size === SIZE - SPECIAL.length) break;
    words.add(word);
  }
  return [...words];
}
