/** @file Paraphrase, as MRPC asks for it: do two sentences say the same? */
import type { Choices } from "./choices.ts";
import { type Clause, drawClause, say, synonymOf, thingsOf, type Wording } from "./clause.ts";
import type { Lexicon } from "./lexicon.ts";
import type { Grammar } from "./text_to_text.ts";

/**
 * Two sentences that are worded differently (voice, order, a verb of the same meaning) and say the same or not: another
 * one acts, does something else, somewhere or at another time, or does not.
 */
export const PARAPHRASE: Grammar<Lexicon> = {
  id: "paraphrase",
  title: "Paraphrase",
  labels: ["not_equivalent", "equivalent"],
  inputSize: 40,
  draw(choices, lexicon, label) {
    const { chance } = choices;
    const clause: Clause = {
      ...drawClause(choices, lexicon, { place: 0.6, time: 0.6, adjective: 0.3 }),
      negated: chance(0.3),
    };
    const other = label === 1 ? clause : changed(choices, lexicon, clause);
    const verb = chance(0.4) ? synonymOf(other.verb, lexicon) : other.verb;
    const wording = (): Wording => ({ passive: chance(0.3), fronted: chance(0.3) });
    const first = say(clause, wording()), second = say({ ...other, verb }, wording());
    // Sentences that are the same to the letter would give themselves away.
    return first === second
      ? PARAPHRASE.draw(choices, lexicon, label)
      : `mrpc sentence1: ${first} sentence2: ${second}`;
  },
};

/** The clause with one thing changed that matters. */
function changed(choices: Choices, lexicon: Lexicon, clause: Clause): Clause {
  const { of, except } = choices, { subject, verb, object, place, time, negated = false } = clause;
  const changes: (() => Clause)[] = [
    () => ({ ...clause, subject: object, object: subject }),
    () => ({ ...clause, verb: except(lexicon.actions.flat(), [verb, synonymOf(verb, lexicon)]) }),
    () => ({ ...clause, negated: !negated }),
    () => ({ ...clause, object: { ...object, noun: except(thingsOf(lexicon), [object.noun]) } }),
  ];
  if (place) changes.push(() => ({ ...clause, place: except(lexicon.places, [place]) }));
  if (time) changes.push(() => ({ ...clause, time: except(lexicon.times, [time]) }));
  return of(changes)();
}
