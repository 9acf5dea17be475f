/** @file Texts with gaps and what fills them: glosses of WordNet, pairs of sentences that say the same, and sentences. */
import type { Random } from "../../numerics/random.ts";
import { drawSentence } from "./acceptability.ts";
import { type Choices, createChoices } from "./choices.ts";
import { drawClause, say } from "./clause.ts";
import { BASE_LEXICON, type Lexicon, NEW_LEXICON } from "./lexicon.ts";
import type { TextPair } from "./text_to_text.ts";
import type { Synsets } from "./wordnet.ts";
import { GAPS, splitWords } from "./words.ts";

/** Shares of the texts with gaps. */
const GLOSSES = 0.35, PAIRS = 0.25;

/**
 * A text with gaps: a gloss, a prompt of two sentences that say the same, or a sentence in one of the lexicons, in the new
 * one such that the meaning of no word shows.
 *
 * @param drawPair makes a prompt of two sentences of which one has what is missing in the other
 */
export function drawWithGaps(
  random: Random,
  { pretraining: { nouns, verbs } }: Synsets,
  drawPair: (choices: Choices) => string,
): TextPair {
  const choices = createChoices(random), { of, chance } = choices;
  if (chance(GLOSSES)) return withGaps(choices, of(chance(0.8) ? nouns : verbs).gloss);
  if (!chance(PAIRS / (1 - GLOSSES))) {
    return withGaps(choices, drawPlain(choices, chance(0.5) ? NEW_LEXICON : BASE_LEXICON));
  }
  return withGaps(choices, splitWords(drawPair(choices)).join(" "));
}

/** A sentence from which one learns what kind of word each is, and no more. */
function drawPlain(choices: Choices, lexicon: Lexicon): string {
  const { of, chance } = choices;
  if (chance(0.4)) {
    return drawSentence(choices, lexicon, of(["agreement", "reflexive", "object", "verb form"]), false);
  }
  if (chance(0.5)) {
    return say(drawClause(choices, lexicon, { place: 0.5, time: 0.5, adjective: 0.5 }), {
      passive: chance(0.3),
    });
  }
  if (chance(0.5)) {
    return `the ${of(lexicon.topics)} was ${of(["", "very", "so", "not"])} ${of(lexicon.opinions.flat())}`;
  }
  return `every ${of(lexicon.people)} had a ${of(Object.keys(lexicon.kinds))} and a ${
    of(Object.values(lexicon.kinds).flat())
  }`;
}

/**
 * A text with one to three gaps of one to three words, and what fills them: "the [0] chased [1] garden" is answered by
 * "[0] farmer [1] the dog in the [2]".
 *
 * Source: Raffel et al., arXiv 1910.10683, section 3.1.4; here about a fifth of a text is left out.
 */
export function withGaps({ of }: Choices, text: string): TextPair {
  const words = text.split(" ").filter((word) => word !== "");
  const wanted = Math.max(1, Math.round(words.length / 5));
  const left: string[] = [], filling: string[] = [];
  const gaps = words.length < 8 ? 1 : words.length < 14 ? 2 : 3;
  const lengths = Array.from({ length: gaps }, (_, i) => Math.min(3, Math.ceil((wanted - i) / gaps) || 1));
  // Each gap lies within its own share of the text.
  lengths.forEach((length, gap) => {
    const first = Math.floor(gap * words.length / gaps), end = Math.floor((gap + 1) * words.length / gaps);
    // A word stays between gaps.
    const starts = Array.from({ length: Math.max(1, end - first - length) }, (_, i) => first + i);
    const start = of(starts);
    left.push(...words.slice(first, start), GAPS[gap]!, ...words.slice(Math.min(end, start + length), end));
    filling.push(GAPS[gap]!, ...words.slice(start, Math.min(end, start + length)));
  });
  return { prompt: left.join(" "), answer: [...filling, GAPS[gaps]!].join(" ") };
}
