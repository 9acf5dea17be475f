/** @file Clauses of the past, said in different ways: "the old farmer chased the dog in the garden yesterday". */
import type { Choices } from "./choices.ts";
import { type Lexicon, past } from "./lexicon.ts";

/** Someone or something. */
export interface Participant {
  readonly noun: string;
  readonly adjective?: string;
}

/** Who did what to whom, where and when. */
export interface Clause {
  readonly subject: Participant;
  readonly verb: string;
  readonly object: Participant;
  readonly place?: string;
  readonly time?: string;
  /** Whether it says that this did not happen. */
  readonly negated?: boolean;
}

/** How a clause is said. */
export interface Wording {
  /** "the dog was chased by the farmer". */
  readonly passive?: boolean;
  /** Begins with the time, or with the place where there is none. */
  readonly fronted?: boolean;
}

/** Things that clauses are about: all but their kinds. */
export function thingsOf({ kinds }: Lexicon): readonly string[] {
  return Object.values(kinds).flat();
}

/** A clause whose place and time are there with the chances given. */
export function drawClause(
  choices: Choices,
  lexicon: Lexicon,
  chances: { readonly place: number; readonly time: number; readonly adjective: number },
): Clause {
  const { people, actions, adjectives, places, times } = lexicon;
  const subject = choices.of(people);
  const object = choices.chance(0.5) ? choices.except(people, [subject]) : choices.of(thingsOf(lexicon));
  const described = (noun: string): Participant => ({
    noun,
    ...choices.chance(chances.adjective) && { adjective: choices.of(adjectives) },
  });
  return {
    subject: described(subject),
    verb: choices.of(actions.flat()),
    object: described(object),
    ...choices.chance(chances.place) && { place: choices.of(places) },
    ...choices.chance(chances.time) && { time: choices.of(times) },
  };
}

/** The verb of the same meaning. */
export function synonymOf(verb: string, { actions }: Lexicon): string {
  const pair = actions.find((one) => one.includes(verb))!;
  return pair[0] === verb ? pair[1] : pair[0];
}

/** "the old farmer". */
export function nounPhrase({ noun, adjective }: Participant, determiner = "the"): string {
  return [determiner, adjective, noun].filter(Boolean).join(" ");
}

/** A clause in words. */
export function say(clause: Clause, { passive = false, fronted = false }: Wording = {}): string {
  const { subject, verb, object, negated = false, time } = clause;
  const place = clause.place && `in the ${clause.place}`;
  const [first, second] = passive ? [object, subject] : [subject, object];
  const action = passive
    ? `was ${negated ? "not " : ""}${past(verb)} by`
    : negated
    ? `did not ${verb}`
    : past(verb);
  const core = `${nounPhrase(first)} ${action} ${nounPhrase(second)}`;
  const front = fronted ? time ?? place : undefined;
  return [front, core, ...[place, time].filter((part) => part !== front)].filter(Boolean).join(" ");
}
