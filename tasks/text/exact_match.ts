/** @file Scoring text that would be generated. */
import type { Predictor } from "../task.ts";
import type { TextExample } from "./text_batch.ts";
import { encode, STOP } from "./tokenizer.ts";

/** For each example, 1 where the greedy continuation of its prompt is its answer to the letter and then stops, else 0. */
export async function exactMatch(
  predictor: Predictor,
  examples: readonly TextExample[],
): Promise<Float32Array> {
  const right = await predictor.follows(
    examples.map(({ prompt }) => encode(prompt)),
    examples.map(({ answer }) => Int32Array.of(...encode(answer), STOP)),
  );
  return Float32Array.from(right, Number);
}
