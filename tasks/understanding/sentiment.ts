/** @file Sentiment with negation and contrast, as SST-2 asks for it. */
import type { Choices } from "./choices.ts";
import { type Lexicon, NEW_LEXICON } from "./lexicon.ts";
import type { Task } from "../task.ts";
import { type Grammar, grammarTask, SHIPPED } from "./text_to_text.ts";

/** Sides of a pair of opinions. */
type Side = 0 | 1;

/** How a topic gets an opinion, for denying it and for stating it. */
const STATING = [
  "the {topic} was {opinion}",
  "the {topic} was {very} {opinion}",
  "i found the {topic} {opinion}",
];
const DENYING = [
  "the {topic} was not {opinion}",
  "the {topic} was never {opinion}",
  "i did not find the {topic} {opinion}",
  "nobody found the {topic} {opinion}",
];
const VERY = ["very", "really", "quite", "so"];

/** How two opinions are held against each other: {main} is what counts. */
const CONTRASTS = [
  "{other} but {main}",
  "although {other} , {main}",
  "{main} even though {other}",
  "{main} though {other}",
];

/**
 * Opinions of one topic, or of two that contrast: "although the plot was not dull , i found the style lousy" is
 * negative. Negation turns an opinion round, and of a contrast the main clause counts.
 */
export const SENTIMENT: Grammar<Lexicon> = {
  id: "sentiment",
  title: "Sentiment with negation and contrast",
  labels: ["negative", "positive"],
  inputSize: 24,
  draw(choices, lexicon, label) {
    const side: Side = label === 1 ? 0 : 1;
    if (choices.chance(0.6)) {
      return `sst2 sentence: ${drawOpinion(choices, lexicon, choices.of(lexicon.topics), side)}`;
    }
    return `sst2 sentence: ${drawContrast(choices, lexicon, side).text}`;
  },
};

/** Two opinions that contrast, and the one that counts, which is of the side given. */
export function drawContrast(
  choices: Choices,
  lexicon: Lexicon,
  side: Side,
): { readonly text: string; readonly main: string } {
  const topic = choices.of(lexicon.topics);
  const main = drawOpinion(choices, lexicon, topic, side);
  const other = drawOpinion(choices, lexicon, choices.except(lexicon.topics, [topic]), side === 0 ? 1 : 0);
  return { text: choices.of(CONTRASTS).replace("{main}", main).replace("{other}", other), main };
}

/** What says that a topic is of a side, negated or not. */
function drawOpinion({ of, chance }: Choices, { opinions }: Lexicon, topic: string, side: Side): string {
  const denies = chance(0.35), said = denies ? 1 - side as Side : side;
  return of(denies ? DENYING : STATING).replace("{topic}", topic).replace("{very}", of(VERY))
    .replace("{opinion}", of(opinions)[said]);
}

/**
 * Sentiment of sixteen opinions whose side is to be learned.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
export const sentiment: Task = grammarTask(SENTIMENT, NEW_LEXICON, {
  shipped: { ...SHIPPED, steps: 500 },
  dataSets: ["sst2"],
});
