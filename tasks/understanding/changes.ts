/** @file What may be changed in a clause so that it says something else. */
import type { Choices } from "./choices.ts";
import { type Clause, synonymOf, thingsOf } from "./clause.ts";
import { type Lexicon, past } from "./lexicon.ts";

/** A clause with something changed, and what: "where garden kitchen", with the words before and after. */
export type Changed = readonly [other: Clause, difference: string];

/** Changes one thing. */
export type Change = (choices: Choices, lexicon: Lexicon, clause: Clause) => Changed;

/** Who acts and who is acted on change places. */
export const swapParticipants: Change = (_, __, clause) => {
  const { subject, object } = clause;
  return [{ ...clause, subject: object, object: subject }, `who ${subject.noun} ${object.noun}`];
};

/** Another one acts. */
export const changeSubject: Change = ({ except }, { people }, clause) => {
  const { subject, object } = clause, noun = except(people, [subject.noun, object.noun]);
  return [{ ...clause, subject: { ...subject, noun } }, `who ${subject.noun} ${noun}`];
};

/** It is done to something else. */
export const changeObject: Change = ({ except }, lexicon, clause) => {
  const { object } = clause, noun = except(thingsOf(lexicon), [object.noun]);
  return [{ ...clause, object: { ...object, noun } }, `what ${object.noun} ${noun}`];
};

/** Something else is done. Only that is told: the verb before may be said by another of the same meaning. */
export const changeVerb: Change = ({ except }, lexicon, clause) => {
  const verb = except(lexicon.actions.flat(), [clause.verb, synonymOf(clause.verb, lexicon)]);
  return [{ ...clause, verb }, `did ${past(verb)}`];
};

/** What was said to happen did not, or the other way round. */
export const deny: Change = (_, __, clause) => [{ ...clause, negated: !clause.negated }, "not"];

/** It happens somewhere else; for clauses with a place. */
export const changePlace: Change = ({ except }, { places }, clause) => {
  const place = except(places, [clause.place!]);
  return [{ ...clause, place }, `where ${clause.place} ${place}`];
};

/** It happens at another time; for clauses with a time. */
export const changeTime: Change = ({ except }, { times }, clause) => {
  const time = except(times, [clause.time!]);
  return [{ ...clause, time }, `when ${clause.time} ${time}`];
};

/** What may be changed about the same words. */
export type Kind = readonly Change[];

/** A change of the first kind, and once in two one of the other kinds beside it, where there are any. */
export function changeOneOrTwo(
  choices: Choices,
  lexicon: Lexicon,
  clause: Clause,
  first: Kind,
  kinds: readonly Kind[],
): Changed {
  const { of, chance } = choices, others = kinds.filter((kind) => kind !== first);
  const [other, difference] = of(first)(choices, lexicon, clause);
  if (others.length === 0 || chance(0.5)) return [other, difference];
  const [last, more] = of(of(others))(choices, lexicon, other);
  return [last, `${difference} ${more}`];
}
