/** @file Conversations that are answered, generated ones and real ones: batches, loss and measures. */
import { createRandom } from "../../numerics/random.ts";
import { measureConversations } from "./conversation_scores.ts";
import { inBatches, type Pools } from "../examples.ts";
import { batchPositions, trainingOrder } from "../order.ts";
import type { ModelNeeds, Predictor, Split, TaskData } from "../task.ts";
import { answerBatch, type TextExample } from "../text/text_batch.ts";
import { VOCABULARY_SIZE } from "../text/tokenizer.ts";

/** Tokens of a row. */
export const LENGTH = 96;

/** Batches, loss and measures of any texts, with the score that `score` gives them. The seed gives the order. */
export function dialogueData<T extends TextExample>(
  { train, validation, test }: Pools<T>,
  seed: number,
  score: (predictor: Predictor, examples: readonly T[]) => Promise<Float32Array>,
): TaskData {
  const needs: ModelNeeds = { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: LENGTH };
  const order = trainingOrder(createRandom(seed).fork("dialogue-state order"), train.length);
  const heldOut = (split: Split) => split === "test" ? test : validation;
  return {
    needs,
    trainBatch(step, size) {
      return answerBatch(batchPositions(step, size).map((position) => train[order(position)]!), LENGTH);
    },
    *validationBatches(size) {
      for (const examples of inBatches(validation, size)) yield answerBatch(examples, LENGTH);
    },
    score: (predictor, split) => score(predictor, heldOut(split)),
    measure: (predictor, split) => measureConversations(predictor, heldOut(split)),
  };
}
