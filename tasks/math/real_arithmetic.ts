/** @file Real questions by path for the arithmetic task, as far as its characters and its length go. */
import type { Question } from "../data/contents.ts";
import { takeData } from "../data/load.ts";
import type { Skip } from "../data/read_record.ts";
import { type SolvedProblem, solvedProblems } from "./solved_problems.ts";
import type { TaskData, TaskOptions } from "../task.ts";
import { ifFits, onOneLine } from "../text/one_line.ts";

/**
 * Questions and answers in lower case on one line, "question answer", with "=" where GSM8K has "####".
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
  return { source, ...solvedProblems(pools, options.seed, length) };
}

function toProblem({ question, answer, final }: Question, length: number): SolvedProblem | Skip {
  const example = {
    prompt: `${onOneLine(question)} `,
    answer: onOneLine(answer.replace("####", "=")),
    final,
  };
  return ifFits(example, length);
}
