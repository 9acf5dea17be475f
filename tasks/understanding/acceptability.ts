/** @file Acceptability, as CoLA asks for it: is this an English sentence? */
import type { Choices } from "./choices.ts";
import { thingsOf } from "./clause.ts";
import { type Lexicon, NEW_LEXICON, past, plural, present } from "./lexicon.ts";
import type { Task } from "../task.ts";
import { type Grammar, grammarTask, SHIPPED } from "./text_to_text.ts";

/** What may be wrong with a sentence. */
const FAULTS = ["agreement", "determiner", "object", "reflexive", "verb form", "order", "shuffle"] as const;
type Fault = typeof FAULTS[number];

/** Words before a noun, for one and for several. */
const DETERMINERS = [["this", "these"], ["that", "those"], ["every", "all"]] as const;

/**
 * Sentences in pairs that differ in one thing, such as "the nurses near the clerk greet a duck" and "… greets …".
 *
 * A sentence is laid out for one of seven faults whether it has it or not, so that no word tells the label.
 */
export const ACCEPTABILITY: Grammar<Lexicon> = {
  id: "acceptability",
  title: "Acceptability of sentences",
  labels: ["unacceptable", "acceptable"],
  inputSize: 24,
  draw(choices, lexicon, label) {
    const about = choices.of(FAULTS);
    const sentence = drawSentence(choices, lexicon, about, label === 0);
    return `cola sentence: ${sentence}`;
  },
};

/** A sentence laid out for a fault, and with it where it is `faulty`. */
export function drawSentence(choices: Choices, lexicon: Lexicon, about: Fault, faulty: boolean): string {
  const { of, chance } = choices, { people, adjectives, places } = lexicon;
  const has = (fault: Fault) => faulty && about === fault;
  const many = chance(0.5);
  const noun = (singular: string, several: boolean) => several ? plural(singular) : singular;
  const [one, several] = about === "determiner" ? of(DETERMINERS) : ["the", "the"];
  const determiner = many !== has("determiner") ? several : one;
  const adjective = about === "order" || chance(0.3) ? of(adjectives) : "";
  const person = noun(of(people), many);
  const subject = has("order")
    ? `${determiner} ${person} ${adjective}`
    : `${determiner} ${adjective} ${person}`;
  const attractor = chance(0.25)
    ? `near the ${noun(of([...people, ...thingsOf(lexicon)]), chance(0.5))}`
    : "";

  const takesObject = about === "reflexive" || chance(0.5);
  const verb = of(takesObject ? lexicon.actions.flat() : lexicon.pastimes);
  // What shows agreement, what has two verb forms, or anything.
  const tense = of(
    about === "agreement"
      ? ["present", "perfect"]
      : about === "verb form"
      ? ["perfect", "negated"]
      : ["present", "perfect", "negated", "past"],
  );
  const agreesWithMany = many !== has("agreement");
  const participle = has("verb form") ? verb : past(verb);
  const action = {
    present: agreesWithMany ? verb : present(verb),
    perfect: `${agreesWithMany ? "have" : "has"} ${participle}`,
    negated: `did not ${has("verb form") ? past(verb) : verb}`,
    past: past(verb),
  }[tense]!;
  const self = many !== has("reflexive") ? "themselves" : "himself";
  const other = about === "reflexive" ? self : `the ${of(thingsOf(lexicon))}`;
  const object = takesObject !== has("object") ? other : "";
  const place = chance(0.25) ? `in the ${of(places)}` : "";
  const words = [subject, attractor, action, object, place].join(" ").split(" ").filter((word) =>
    word !== ""
  );
  if (has("shuffle")) {
    // The last of three words comes first.
    const at = of([...words.keys()].slice(0, -2));
    words.splice(at, 0, ...words.splice(at + 2, 1));
  }
  return words.join(" ");
}

/**
 * Acceptability in words whose number and verbs whose objects are to be learned.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
export const acceptability: Task = grammarTask(ACCEPTABILITY, NEW_LEXICON, {
  shipped: { ...SHIPPED, steps: 150 },
  dataSets: ["cola"],
  correlates: true,
});
