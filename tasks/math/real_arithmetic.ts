/** @file Real questions by path for the arithmetic task, as far as its characters and its length go. */
import type { Question } from "../data/contents.ts";
import { takeData } from "../data/load.ts";
import type { Skip } from "../data/read_record.ts";
import { type SolvedProblem, solvedProblems } from "./solved_problems.ts";
import type { TaskData, TaskOptions } from "../task.ts";
import { ALPHABET } from "../text/tokenizer.ts";

const known = new Set(ALPHABET.slice(2));

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
  const plain = (text: string) => text.toLowerCase().replaceAll(/\s+/g, " ").trim();
  const prompt = `${plain(question)} `,
    example = { prompt, answer: plain(answer.replace("####", "=")), final };
  const unknown = [...prompt + example.answer].some((character) => !known.has(character));
  if (unknown) return { skip: "with characters that the tokenizer lacks" };
  // The stop token needs a place too.
  return prompt.length + example.answer.length >= length ? { skip: `longer than ${length} tokens` } : example;
}
