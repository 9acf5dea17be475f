/** @file The corpus that pre-trains the encoder-decoder: gaps to fill in sentences and glosses, and tasks in other words. */
import { ACCEPTABILITY } from "./acceptability.ts";
import { createChoices } from "./choices.ts";
import { corpusTask, type Draw, LONGER, QUESTION } from "./corpus.ts";
import { drawWithGaps } from "./gaps.ts";
import { drawQuestion } from "./grammars.ts";
import { INFERENCE } from "./inference.ts";
import { BASE_LEXICON } from "./lexicon.ts";
import { drawReading } from "./reading.ts";
import { SENTIMENT } from "./sentiment.ts";
import type { Task } from "../task.ts";
import { sensePair } from "./word_senses.ts";

/** Share of the questions that are about verbs of WordNet. */
const VERBS = 0.1;

const ask: Draw = (random, { pretraining }) => {
  const choices = createChoices(random);
  if (choices.chance(VERBS)) return sensePair(choices.of(pretraining.verbs), "verb");
  return drawQuestion(choices, [ACCEPTABILITY, SENTIMENT, INFERENCE], BASE_LEXICON);
};

const read: Draw = (random) => drawReading(random, BASE_LEXICON);

/** What is missing in one of two sentences, of which one follows from the other, is in the other. */
const fill: Draw = (random, synsets) =>
  drawWithGaps(random, synsets, (choices) => INFERENCE.draw(choices, BASE_LEXICON, 0));

/**
 * Rows from an endless corpus. In a sixth of the batches texts with gaps are read and what fills the gaps is written, as
 * in T5's pre-training: glosses of WordNet, pairs of sentences that say the same in the base lexicon, and sentences in
 * both lexicons, of which those in the new one are such that the meaning of no word shows. A third asks what is answered
 * in several words, see reading.ts. The others are questions of the understanding tasks in the base lexicon, and glosses
 * of verbs, answered with their class.
 *
 * Answers in several words are what makes it learn: with five steps of six on labels, which no single word tells, 6,000
 * steps at the rate 1e-3 reached 0.65 on acceptability and 0.80 on sentiment; with them, 8,000 at 2e-3 reached 0.92 and
 * 1.00 (300 questions each in the base lexicon, all five tasks being in the corpus then).
 *
 * Held out are questions.
 */
export const understandingBase: Task = corpusTask({
  id: "understanding-base",
  title: "Gaps in sentences and glosses, and tasks in other words",
  turns: [
    { draw: ask, lengths: QUESTION },
    { draw: read, lengths: LONGER },
    { draw: ask, lengths: QUESTION },
    { draw: read, lengths: LONGER },
    { draw: ask, lengths: QUESTION },
    { draw: fill, lengths: LONGER },
  ],
  drawQuestion: ask,
});
