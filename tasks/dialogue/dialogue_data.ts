/** @file Conversations that are answered, generated ones and real ones: batches, loss and measures. */
import { poolBatches } from "../batches.ts";
import { measureConversations } from "./conversation_scores.ts";
import type { Pools } from "../examples.ts";
import type { Predictor, TaskData } from "../task.ts";
import { answerBatch, type TextExample } from "../text/text_batch.ts";
import { VOCABULARY_SIZE } from "../text/tokenizer.ts";

/** Tokens of a row. */
export const LENGTH = 96;

/** Batches, loss and measures of any texts, with the score that `score` gives them. The seed gives the order. */
export function dialogueData<T extends TextExample>(
  pools: Pools<T>,
  seed: number,
  score: (predictor: Predictor, examples: readonly T[]) => Promise<Float32Array>,
): TaskData {
  return {
    needs: { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: LENGTH },
    ...poolBatches("dialogue-state", seed, pools, (examples) => answerBatch(examples, LENGTH)),
    score: (predictor, split) => score(predictor, pools[split]),
    measure: (predictor, split) => measureConversations(predictor, pools[split]),
  };
}
