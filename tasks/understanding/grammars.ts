/** @file The grammars of the understanding tasks. */
import { ACCEPTABILITY } from "./acceptability.ts";
import { ANSWERING } from "./answering.ts";
import type { Choices } from "./choices.ts";
import { INFERENCE } from "./inference.ts";
import type { Lexicon } from "./lexicon.ts";
import { PARAPHRASE } from "./paraphrase.ts";
import { SENTIMENT } from "./sentiment.ts";
import type { Grammar, TextPair } from "./text_to_text.ts";

/** All of them. */
export const GRAMMARS: readonly Grammar<Lexicon>[] = [
  ACCEPTABILITY,
  SENTIMENT,
  PARAPHRASE,
  ANSWERING,
  INFERENCE,
];

/** A question of one of some grammars, with any of its labels. */
export function drawQuestion(
  choices: Choices,
  grammars: readonly Grammar<Lexicon>[],
  lexicon: Lexicon,
): TextPair {
  const { draw, labels } = choices.of(grammars), label = choices.of([...labels.keys()]);
  return { prompt: draw(choices, lexicon, label), answer: labels[label]! };
}
