/** @file Paraphrase, as MRPC asks for it: do two sentences say the same? */
import {
  type Changed,
  changeObject,
  changeOneOrTwo,
  changePlace,
  changeSubject,
  changeTime,
  changeVerb,
  deny,
  type Kind,
  swapParticipants,
} from "./changes.ts";
import type { Choices } from "./choices.ts";
import { type Clause, drawClause, say, synonymOf, type Wording } from "./clause.ts";
import { type Lexicon, NEW_LEXICON } from "./lexicon.ts";
import type { Task } from "../task.ts";
import { type Grammar, grammarTask, SHIPPED } from "./text_to_text.ts";

/**
 * Two sentences that are worded differently (voice, order, a verb of the same meaning) and say the same, or differ in one
 * or two things that matter: who acts on whom, what is done, whether it is, where and when.
 */
export const PARAPHRASE: Grammar<Lexicon> = {
  id: "paraphrase",
  title: "Paraphrase",
  labels: ["not_equivalent", "equivalent"],
  inputSize: 40,
  draw(choices, lexicon, label) {
    const { first, second } = drawPair(choices, lexicon, label === 1);
    return `mrpc sentence1: ${first} sentence2: ${second}`;
  },
};

/** Two sentences and what tells them apart. */
export interface ComparedPair {
  readonly first: string;
  readonly second: string;
  /** As `changeOneOrTwo` tells it; empty where they say the same. */
  readonly difference: string;
}

/**
 * Sentences that differ to the letter, and in what they say unless they are to say the same.
 *
 * @param verbs whether verbs are changed, and said by others of the same meaning; without, the meaning of none shows
 */
export function drawPair(choices: Choices, lexicon: Lexicon, same: boolean, verbs = true): ComparedPair {
  const { chance } = choices;
  const clause: Clause = {
    ...drawClause(choices, lexicon, { place: 0.6, time: 0.6, adjective: 0.3 }),
    negated: chance(0.3),
  };
  const reworded = verbs && chance(0.5) ? { ...clause, verb: synonymOf(clause.verb, lexicon) } : clause;
  const [other, difference] = same ? [reworded, ""] : change(reworded);
  const wording = (): Wording => ({ passive: chance(0.3), fronted: chance(0.3) });
  const first = say(clause, wording()), second = say(other, wording());
  // Sentences that are the same to the letter would give themselves away.
  return first === second ? drawPair(choices, lexicon, same, verbs) : { first, second, difference };

  /** Two cases of five are about the verb first: to know its meaning is what matters. */
  function change(clause: Clause): Changed {
    const verb: Kind[] = verbs ? [[changeVerb]] : [];
    const others: Kind[] = [
      [swapParticipants, changeSubject, changeObject],
      [deny],
      ...clause.place ? [[changePlace]] : [],
      ...clause.time ? [[changeTime]] : [],
    ];
    const first = choices.of(verbs && chance(0.4) ? verb : others);
    return changeOneOrTwo(choices, lexicon, clause, first, [...verb, ...others]);
  }
}

/**
 * Paraphrase in new words: which of eight verbs mean the same is to be learned, and to compare what the base has only
 * filled gaps with.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
export const paraphrase: Task = grammarTask(PARAPHRASE, NEW_LEXICON, {
  shipped: { ...SHIPPED, model: "t5-tiny-pairs", steps: 200 },
  dataSets: ["mrpc"],
});
