/** @file Real questions by path for the arithmetic task, as far as the model's tokens and its length go. */
import type { Question } from "../data/contents.ts";
import { type SolvedProblem, solvedProblems } from "./solved_problems.ts";
import type { TaskData, TaskModel, TaskOptions } from "../task.ts";
import { onOneLine } from "../text/one_line.ts";
import { questionExample } from "../text/prompt_templates.ts";
import { takeTexts } from "../text/real_texts.ts";
import type { TextForm } from "../text/text_form.ts";

/**
 * Questions by Alpaca's template, answered as the data set answers them. The project's own decoders have no capitals and no
 * newlines: for them questions and answers are in lower case on one line, "question answer", with "=" where GSM8K has
 * "####".
 *
 * @param own the form of the project's own decoders
 * @throws {DataError} as `takeTexts` does
 */
export async function realArithmetic(
  options: TaskOptions & { readonly data: string },
  model: TaskModel | undefined,
  own: TextForm,
): Promise<TaskData> {
  const { source, form, ...pools } = await takeTexts("arithmetic", "math", options, model, {
    modelFamily: "decoder",
    convert: (question): SolvedProblem => ({ ...questionExample(question), final: question.final }),
    own: { form: own, convert: problemOnOneLine },
  });
  return { source, ...solvedProblems(pools, options.seed, form) };
}

function problemOnOneLine({ question, answer, final }: Question): SolvedProblem {
  return { prompt: `${onOneLine(question)} `, answer: onOneLine(answer.replace("####", "=")), final };
}
