/** @file Predictors without a model, for tests of what asks them. */
import type { Predictor } from "../../tasks/task.ts";

/**
 * Continues each prompt by what `reply` says, and classifies nothing. A loss is the share of tokens that differ.
 *
 * @param reply is told which sample is wanted, or that the greedy text is
 */
export function writingPredictor(
  reply: (prompt: Int32Array, sample: number | "greedy") => ArrayLike<number>,
): Predictor {
  const replies = (prompts: readonly Int32Array[]) =>
    prompts.map((prompt) => Int32Array.from(reply(prompt, "greedy")));
  return {
    classify: () => Promise.reject(new Error("Cannot classify text")),
    generate: (prompts, { maxTokens, stop, sampling }) => {
      const samples = sampling ? [...Array(sampling.samples ?? 1).keys()] : ["greedy" as const];
      return Promise.resolve(
        prompts.flatMap((prompt) =>
          samples.map((sample) => {
            const tokens = Int32Array.from(reply(prompt, sample)),
              end = tokens.findIndex((token) => [stop].flat().includes(token));
            return tokens.subarray(0, Math.min(maxTokens, end < 0 ? tokens.length : end));
          })
        ),
      );
    },
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
  const validate = () => Promise.reject(new Error("Cannot write about images"));
  return { classify, generate: validate, follows: validate, losses: validate };
}
