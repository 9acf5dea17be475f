/** @file Problems that are answered with their working: batches, loss, and scores by the final answer. */
import { poolBatches } from "../batches.ts";
import type { Pools } from "../examples.ts";
import { flexibleAnswer, sameAnswer, strictAnswer } from "./final_answer.ts";
import type { Measure, Metric, Predictor, Split, TaskData } from "../task.ts";
import { exactMatch } from "../text/exact_match.ts";
import { answerBatch, fitsAnswerBatch, promptTokens, type TextExample } from "../text/text_batch.ts";
import { decodeWhole, MOST_TOKENS, type TextForm } from "../text/text_form.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A problem, an answer with its working, and the final answer that counts. */
export interface SolvedProblem extends TextExample {
  /** As written, e.g. "1,000"; see `sameAnswer`. */
  readonly final: string;
}

/** 1 where what is written says the right final answer in an answer's place, see `strictAnswer`, else 0. */
export const METRIC: Metric = { name: "strict match", chance: 0 };

/** The same wherever the answer stands, see `flexibleAnswer`. */
const FLEXIBLE: Measure = { name: "flexible match", better: "higher", within: [0, 1] };

/** What is measured beside the score. */
export const MEASURES: readonly Measure[] = [FLEXIBLE];

/**
 * The examples of a decoder's task: each is prompt and answer, and loss is on the answer alone. What is written is judged
 * by its final answer: working that goes astray and comes back counts as right.
 *
 * @param form what the model takes, which every prompt, answer and stop token must fit
 */
export function solvedProblems(
  pools: Pools<SolvedProblem>,
  seed: number,
  { tokenizer, needs, length }: TextForm,
): TaskData {
  const judge = (predictor: Predictor, split: Split, answerOf: (text: string) => string | null) =>
    judgeAnswers(predictor, pools[split], tokenizer, answerOf);
  return {
    needs,
    ...poolBatches(
      "arithmetic",
      seed,
      pools,
      (examples) => answerBatch(examples, length, tokenizer),
      (example) => fitsAnswerBatch(example, length, tokenizer),
    ),
    score: (predictor, split) => judge(predictor, split, strictAnswer),
    async measure(predictor, split) {
      return { [FLEXIBLE.name]: { values: await judge(predictor, split, flexibleAnswer) } };
    },
  };
}

/** For each problem, 1 where the answer found in what is written is the right one, else 0. */
async function judgeAnswers(
  predictor: Predictor,
  problems: readonly SolvedProblem[],
  tokenizer: Tokenizer,
  answerOf: (text: string) => string | null,
): Promise<Float32Array> {
  // One pass finds what would be written to the letter: the rest alone has to be written, token by token.
  const expected = await exactMatch(predictor, problems, tokenizer);
  const rest = problems.filter((_, i) => expected[i] === 0);
  const written = await predictor.generate(rest.map(({ prompt }) => promptTokens(prompt, tokenizer)), {
    maxTokens: MOST_TOKENS,
    stop: tokenizer.stops ?? tokenizer.stop,
  });
  let next = 0;
  return Float32Array.from(problems, ({ answer, final }, i) => {
    const tokens = expected[i] === 1 ? tokenizer.encode(answer) : written[next++]!;
    const found = answerOf(decodeWhole(tokens, tokenizer));
    return found !== null && sameAnswer(found, final) ? 1 : 0;
  });
}
