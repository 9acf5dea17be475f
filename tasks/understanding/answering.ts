/** @file Question-answer entailment, as QNLI asks for it: does a sentence answer a question? */
import {
  type Changed,
  changeObject,
  changeOneOrTwo,
  changeSubject,
  changeVerb,
  deny,
  swapParticipants,
} from "./changes.ts";
import type { Choices } from "./choices.ts";
import { type Clause, drawClause, nounPhrase, say, synonymOf } from "./clause.ts";
import { type Lexicon, NEW_LEXICON, past } from "./lexicon.ts";
import type { Task } from "../task.ts";
import { type Grammar, grammarTask, SHIPPED } from "./text_to_text.ts";

/** What may be asked for. */
export type Asked = "subject" | "object" | "place" | "time";

/**
 * A question about who, what, where or when, and a sentence that answers it or not: it is about someone or something
 * else, says that it did not happen, or leaves out the place or time asked for. One sentence in ten has a "not", and
 * that alone tells that it answers nothing.
 */
export const ANSWERING: Grammar<Lexicon> = {
  id: "answering",
  title: "Question-answer entailment",
  labels: ["not_entailment", "entailment"],
  inputSize: 40,
  draw(choices, lexicon, label) {
    const { question, sentence } = drawAnswer(choices, lexicon, label === 1);
    return `qnli question: ${question} sentence: ${sentence}`;
  },
};

/** A question, a sentence, and what keeps the one from answering the other. */
export interface AnsweredQuestion {
  readonly question: string;
  readonly sentence: string;
  /** As `changeOneOrTwo` tells it, or "where" or "when" where the sentence does not tell; empty where it answers. */
  readonly lack: string;
}

/** A question and a sentence that answers it or not. */
export function drawAnswer(choices: Choices, lexicon: Lexicon, answers: boolean): AnsweredQuestion {
  const { of, chance } = choices;
  const drawn = drawClause(choices, lexicon, { place: 0.5, time: 0.5, adjective: 0.3 });
  const asked = of<Asked>(["subject", "object", "place", "time"]);
  // The sentence has what is asked for, and once in two what is not.
  const clause: Clause = {
    ...drawn,
    ...asked === "place" && { place: drawn.place ?? of(lexicon.places) },
    ...asked === "time" && { time: drawn.time ?? of(lexicon.times) },
  };
  const reworded = chance(0.5) ? { ...clause, verb: synonymOf(clause.verb, lexicon) } : clause;
  const [told, lack] = answers ? [reworded, ""] : missed(reworded);
  return {
    question: ask(clause, asked, lexicon),
    sentence: say(told, { passive: chance(0.3), fronted: chance(0.3) }),
    lack,
  };

  /** A clause that does not answer the question, and why. */
  function missed(clause: Clause): Changed {
    if (chance(0.2)) return deny(choices, lexicon, clause);
    const isPlaceOrTime = asked === "place" || asked === "time";
    if (isPlaceOrTime && chance(0.4)) {
      const { [asked]: _, ...rest } = clause;
      // As many parts as in sentences that answer.
      return asked === "place"
        ? [{ ...rest, time: clause.time ?? of(lexicon.times) }, "where"]
        : [{ ...rest, place: clause.place ?? of(lexicon.places) }, "when"];
    }
    const inQuestion = asked === "object" ? changeSubject : changeObject;
    const kinds = [[swapParticipants, inQuestion], [changeVerb]];
    return changeOneOrTwo(choices, lexicon, clause, of(kinds), kinds);
  }
}

/** A question that a clause answers; adjectives of what is asked for are left out of it. */
export function ask({ subject, verb, object }: Clause, asked: Asked, { people }: Lexicon): string {
  const doer = nounPhrase(subject), other = nounPhrase(object);
  switch (asked) {
    case "subject":
      return `who ${past(verb)} ${other} ?`;
    case "object":
      return `${people.includes(object.noun) ? "who" : "what"} did ${doer} ${verb} ?`;
    case "place":
      return `where did ${doer} ${verb} ${other} ?`;
    case "time":
      return `when did ${doer} ${verb} ${other} ?`;
  }
}

/**
 * Question-answer entailment in new words. Real data are QNLI and RTE, which asks whether a sentence follows from another.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
export const answering: Task = grammarTask(ANSWERING, NEW_LEXICON, {
  shipped: { ...SHIPPED, model: "t5-tiny-pairs", steps: 200 },
  dataSets: ["qnli", "rte"],
});
