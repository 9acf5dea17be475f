/** @file Scoring generated text. */
import type { Predictor } from "./task.ts";
import type { TextExample } from "./text_batch.ts";
import { decode, encode, STOP } from "./tokenizer.ts";

/** For each example, 1 where the greedy continuation of its prompt is its answer to the letter, else 0. */
export async function exactMatch(
  predictor: Predictor,
  examples: readonly TextExample[],
): Promise<Float32Array> {
  const prompts = examples.map(({ prompt }) => encode(prompt));
  // One more than the longest answer, so that going on where it should stop counts as wrong.
  const maxTokens = 1 + Math.max(...examples.map(({ answer }) => answer.length));
  const generated = await predictor.generate(prompts, { maxTokens, stop: STOP });
  return Float32Array.from(examples, ({ answer }, i) => decode(generated[i]!) === answer ? 1 : 0);
}
