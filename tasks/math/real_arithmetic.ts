/** @file Real questions by path for the arithmetic task, as far as its characters and its length go. */
import { createRandom } from "../../numerics/random.ts";
import type { Question } from "../data/contents.ts";
import { takeData } from "../data/load.ts";
import type { Skip } from "../data/read_record.ts";
import { inBatches } from "../examples.ts";
import { flexibleAnswer, sameAnswer } from "./final_answer.ts";
import { batchPositions, trainingOrder } from "../order.ts";
import type { Predictor, TaskData, TaskOptions } from "../task.ts";
import { ifFits, onOneLine } from "../text/one_line.ts";
import { answerBatch, type TextExample } from "../text/text_batch.ts";
import { decode, encode, STOP, VOCABULARY_SIZE } from "../text/tokenizer.ts";

/** A question in the task's characters, and the final answer that counts. */
interface RealProblem extends TextExample {
  readonly final: string;
}

/**
 * Questions and answers in lower case on one line, "question answer", scored by the final answer alone: right where
 * the flexible extraction finds a number equal to the reference.
 *
 * @param length tokens of a row; what is longer is skipped and counted, and so is what has other characters
 * @throws {DataError} where there are no such questions, or too few that fit
 */
export async function realArithmetic(
  options: TaskOptions & { readonly data: string },
  length: number,
): Promise<TaskData> {
  const { source, classes: _, ...pools } = await takeData("arithmetic", "math", options, {
    convert: (question) => toProblem(question, length),
    keyOf: ({ prompt }) => prompt,
  });
  const { train, validation } = pools;
  const order = trainingOrder(createRandom(options.seed).fork("arithmetic order"), train.length);
  return {
    source,
    needs: { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: length },
    trainBatch(step, size) {
      return answerBatch(batchPositions(step, size).map((position) => train[order(position)]!), length);
    },
    *validationBatches(size) {
      for (const examples of inBatches(validation, size)) yield answerBatch(examples, length);
    },
    score: (predictor, split) => scoreFinal(predictor, pools[split], length),
  };
}

function toProblem({ question, answer, final }: Question, length: number): RealProblem | Skip {
  const example = {
    prompt: `${onOneLine(question)} `,
    answer: onOneLine(answer.replace("####", "=")),
    final,
  };
  return ifFits(example, length);
}

async function scoreFinal(
  predictor: Predictor,
  problems: readonly RealProblem[],
  length: number,
): Promise<Float32Array> {
  const texts = await predictor.generate(problems.map(({ prompt }) => encode(prompt)), {
    maxTokens: length,
    stop: STOP,
  });
  return Float32Array.from(problems, ({ final }, i) => {
    const answer = flexibleAnswer(decode(texts[i]!));
    return answer !== null && sameAnswer(answer, final) ? 1 : 0;
  });
}
