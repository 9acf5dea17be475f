/** @file Question-answer entailment, as QNLI asks for it: does a sentence answer a question? */
import { type Clause, drawClause, nounPhrase, say, synonymOf, thingsOf } from "./clause.ts";
import { type Lexicon, past } from "./lexicon.ts";
import type { Grammar } from "./text_to_text.ts";

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
    const { of, except, chance } = choices;
    const drawn = drawClause(choices, lexicon, { place: 0.5, time: 0.5, adjective: 0.3 });
    const asked = of<Asked>(["subject", "object", "place", "time"]);
    // The sentence has what is asked for, and once in two what is not.
    const clause: Clause = {
      ...drawn,
      ...asked === "place" && { place: drawn.place ?? of(lexicon.places) },
      ...asked === "time" && { time: drawn.time ?? of(lexicon.times) },
    };
    const question = ask(
      { ...clause, verb: chance(0.4) ? synonymOf(clause.verb, lexicon) : clause.verb },
      asked,
      lexicon,
    );
    const told = label === 1 ? clause : missed(clause);
    const sentence = say(told, { passive: chance(0.3), fronted: chance(0.3) });
    return `qnli question: ${question} sentence: ${sentence}`;

    /** A clause that does not answer the question about `clause`. */
    function missed(clause: Clause): Clause {
      const isPlaceOrTime = asked === "place" || asked === "time";
      if (isPlaceOrTime && chance(0.4)) {
        const { [asked]: _, ...rest } = clause;
        // As many parts as in sentences that answer.
        return asked === "place"
          ? { ...rest, time: clause.time ?? of(lexicon.times) }
          : { ...rest, place: clause.place ?? of(lexicon.places) };
      }
      const { subject, object, verb } = clause;
      return of<() => Clause>([
        () => ({ ...clause, negated: true }),
        () => ({ ...clause, verb: except(lexicon.actions.flat(), [verb, synonymOf(verb, lexicon)]) }),
        () => ({ ...clause, subject: object, object: subject }),
        () =>
          asked === "object"
            ? {
              ...clause,
              subject: { ...subject, noun: except(lexicon.people, [subject.noun, object.noun]) },
            }
            : { ...clause, object: { ...object, noun: except(thingsOf(lexicon), [object.noun]) } },
      ])();
    }
  },
};

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
