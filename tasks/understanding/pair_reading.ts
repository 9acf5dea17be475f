/** @file Questions about two sentences that are answered in several words: what tells them apart. */
import { drawAnswer } from "./answering.ts";
import { createChoices } from "./choices.ts";
import { drawPair } from "./paraphrase.ts";
import type { Reading } from "./reading.ts";

/** What is told where they do not differ in what they say. */
const SAME = "same";

/** Share of those that do not. */
const ALIKE = 0.3;

/** What each of two sentences says in place of the other. */
export const compare: Reading = (random, lexicon) => {
  const choices = createChoices(random);
  const { first, second, difference } = drawPair(choices, lexicon, choices.chance(ALIKE));
  return { prompt: `different sentence1: ${first} sentence2: ${second}`, answer: difference || SAME };
};

/** What keeps a sentence from answering a question. */
export const findLack: Reading = (random, lexicon) => {
  const choices = createChoices(random);
  const { question, sentence, lack } = drawAnswer(choices, lexicon, choices.chance(ALIKE));
  return { prompt: `different question: ${question} sentence: ${sentence}`, answer: lack || SAME };
};
