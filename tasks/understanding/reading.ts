/** @file Questions of the base corpus that are answered in several words: what the understanding tasks ask for, spelt out. */
import type { Random } from "../../numerics/random.ts";
import { drawSentence } from "./acceptability.ts";
import { ask, type Asked } from "./answering.ts";
import { type Choices, createChoices } from "./choices.ts";
import { drawClause, nounPhrase, say } from "./clause.ts";
import type { Lexicon } from "./lexicon.ts";
import { drawContrast } from "./sentiment.ts";
import type { TextPair } from "./text_to_text.ts";

/** A question about sentences in a lexicon's words, and its answer of up to 11 words. */
export type Reading = (random: Random, lexicon: Lexicon) => TextPair;

/** Which of two opinions counts: "main : although the plot was good , the music was bad" is "the music was bad". */
const findMainClause: Reading = (random, lexicon) => {
  const { text, main } = drawContrast(createChoices(random), lexicon, 0);
  return { prompt: `main : ${text}`, answer: main };
};

/** The same said actively, in the order of time and place at the end and with the first verb of its meaning. */
export const sayPlainly: Reading = (random, lexicon) => {
  const choices = createChoices(random), { chance } = choices;
  const hasPlace = chance(0.5);
  const drawn = drawClause(choices, lexicon, {
    place: hasPlace ? 1 : 0,
    time: hasPlace ? 0 : 0.5,
    adjective: 0,
  });
  const clause = { ...drawn, negated: chance(0.3) };
  const [verb] = lexicon.actions.find((pair) => pair.includes(clause.verb))!;
  return {
    prompt: `plain : ${say(clause, { passive: chance(0.6), fronted: chance(0.5) })}`,
    answer: say({ ...clause, verb }),
  };
};

/** Who, what, where or when. */
export const answer: Reading = (random, lexicon) => {
  const choices = createChoices(random), { chance, of } = choices;
  const clause = drawClause(choices, lexicon, { place: 1, time: 1, adjective: 0.2 });
  const asked = of<Asked>(["subject", "object", "place", "time"]);
  const told = {
    subject: nounPhrase(clause.subject),
    object: nounPhrase(clause.object),
    place: `in the ${clause.place}`,
    time: clause.time!,
  }[asked];
  return {
    prompt: `question : ${ask(clause, asked, lexicon)} sentence : ${
      say(clause, { passive: chance(0.3), fronted: chance(0.3) })
    }`,
    answer: told,
  };
};

/** The words that a faulty sentence should have in place of those that it has. */
const correct: Reading = (random, lexicon) => {
  const about = createChoices(random.fork("about")).of(
    ["agreement", "determiner", "reflexive", "verb form", "order"] as const,
  );
  const [good, bad] = [false, true].map((faulty) =>
    drawSentence(createChoices(random.fork("sentence")), lexicon, about, faulty).split(" ")
  ) as [string[], string[]];
  const start = good.findIndex((word, i) => word !== bad[i]);
  const end = good.findLastIndex((word, i) => word !== bad[i]);
  return { prompt: `correct : ${bad.join(" ")}`, answer: good.slice(start, end + 1).join(" ") };
};

const READINGS: readonly Reading[] = [findMainClause, sayPlainly, answer, correct];

/** One of the questions. */
export function drawReading(random: Random, lexicon: Lexicon): TextPair {
  const kind: Choices = createChoices(random.fork("kind"));
  return kind.of(READINGS)(random, lexicon);
}
