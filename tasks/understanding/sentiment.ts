/** @file Sentiment with negation and contrast, as SST-2 asks for it. */
import type { Choices } from "./choices.ts";
import { type Lexicon, NEW_LEXICON } from "./lexicon.ts";
import type { Task } from "../task.ts";
import { type Grammar, grammarTask } from "./text_to_text.ts";

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
    const topic = choices.of(lexicon.topics);
    const main = drawOpinion(choices, lexicon, topic, side);
    if (choices.chance(0.4)) return `sst2 sentence: ${main}`;
    const other = drawOpinion(choices, lexicon, choices.except(lexicon.topics, [topic]), side === 0 ? 1 : 0);
    return `sst2 sentence: ${choices.of(CONTRASTS).replace("{main}", main).replace("{other}", other)}`;
  },
};

/** What says that a topic is of a side, negated or not. */
function drawOpinion({ of, chance }: Choices, { opinions }: Lexicon, topic: string, side: Side): string {
  const denies = chance(0.35), said = denies ? 1 - side as Side : side;
  return of(denies ? DENYING : STATING).replace("{topic}", topic).replace("{very}", of(VERY))
    .replace("{opinion}", of(opinions)[said]);
}

/** Sentiment of sixteen opinions whose side is to be learned. */
export const sentiment: Task = grammarTask(SENTIMENT, NEW_LEXICON, {
  shipped: {
    model: "t5-tiny",
    steps: 150,
    batchSize: 32,
    trainExamples: 4000,
    validationExamples: 256,
    testExamples: 512,
  },
  dataSets: ["sst2"],
});
