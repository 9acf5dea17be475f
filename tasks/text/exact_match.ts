/** @file Scoring text that would be generated. */
import type { Predictor } from "../task.ts";
import { endedTokens, promptTokens, type TextExample } from "./text_batch.ts";
import { characterTokenizer, type Tokenizer } from "./tokenizer.ts";

/** For each example, 1 where the greedy continuation of its prompt is its answer to the letter and then stops, else 0. */
export async function exactMatch(
  predictor: Predictor,
  examples: readonly TextExample[],
  tokenizer: Tokenizer = characterTokenizer,
): Promise<Float32Array> {
  const right = await predictor.follows(
    examples.map(({ prompt }) => promptTokens(prompt, tokenizer)),
    examples.map(({ answer }) => endedTokens(answer, tokenizer)),
  );
  return Float32Array.from(right, Number);
}
