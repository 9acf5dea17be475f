/** @file Predictors without a model, for tests of what asks them. */
import type { Predictor } from "../tasks/task.ts";

/** Continues each prompt by what `reply` says, and classifies nothing. A loss is the share of tokens that differ. */
export function writingPredictor(reply: (prompt: Int32Array) => ArrayLike<number>): Predictor {
  const replies = (prompts: readonly Int32Array[]) => prompts.map((prompt) => Int32Array.from(reply(prompt)));
  return {
    classify: () => Promise.reject(new Error("Cannot classify text")),
    generate: (prompts, { maxTokens, stop }) =>
      Promise.resolve(
        replies(prompts).map((tokens) => {
          const end = tokens.indexOf(stop);
          return tokens.subarray(0, Math.min(maxTokens, end < 0 ? tokens.length : end));
        }),
      ),
    follows: (prompts, continuations) =>
      Promise.resolve(
        replies(prompts).map((tokens, i) => continuations[i]!.every((token, k) => token === tokens[k])),
      ),
    losses: (prompts, continuations) =>
      Promise.resolve(
        Float32Array.from(replies(prompts), (tokens, i) => {
          const wrong = continuations[i]!.filter((token, k) => token !== tokens[k]);
          return wrong.length / continuations[i]!.length;
        }),
      ),
  };
}

/** Classifies as `classify` does, and writes nothing. */
export function classifyingPredictor(classify: Predictor["classify"]): Predictor {
  const refuse = () => Promise.reject(new Error("Cannot write about images"));
  return { classify, generate: refuse, follows: refuse, losses: refuse };
}
