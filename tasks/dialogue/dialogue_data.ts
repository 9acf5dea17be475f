/** @file Conversations that are answered, generated ones and real ones: batches, loss and measures. */
import { poolBatches } from "../batches.ts";
import { measureConversations } from "./conversation_scores.ts";
import type { Pools } from "../examples.ts";
import type { Predictor, TaskData } from "../task.ts";
import { answerBatch, fitsAnswerBatch, type TextExample } from "../text/text_batch.ts";
import type { TextForm } from "../text/text_form.ts";

/** Tokens of a row that the project's own decoders take. */
export const LENGTH = 96;

/** Batches, loss and measures of any texts, with the score that `score` gives them. The seed gives the order. */
export function dialogueData<T extends TextExample>(
  pools: Pools<T>,
  seed: number,
  { tokenizer, needs, length }: TextForm,
  score: (predictor: Predictor, examples: readonly T[]) => Promise<Float32Array>,
): TaskData {
  return {
    needs,
    ...poolBatches(
      "dialogue-state",
      seed,
      pools,
      (examples) => answerBatch(examples, length, tokenizer),
      (example) => fitsAnswerBatch(example, length, tokenizer),
    ),
    score: (predictor, split) => score(predictor, pools[split]),
    measure: (predictor, split) => measureConversations(predictor, pools[split], tokenizer),
  };
}
