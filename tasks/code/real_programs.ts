/** @file Real programs by path for the code task: CodeFeedback to train on, HumanEval's tests to score with. */
import { poolBatches } from "../batches.ts";
import type { Program } from "../data/contents.ts";
import { DataError } from "../data/data_error.ts";
import type { Skip } from "../skip.ts";
import { measurePrograms, type ProgramTrial, runDistinct, scorePrograms } from "./program_scores.ts";
import { pythonTrial } from "./python_program.ts";
import { judgePython, type PythonOutcome, type PythonTrial, requirePython } from "./python_sandbox.ts";
import type { TaskData, TaskModel, TaskOptions } from "../task.ts";
import { programExample } from "../text/prompt_templates.ts";
import { takeTexts } from "../text/real_texts.ts";
import { answerBatch, fitsAnswerBatch, promptTokens, type TextExample } from "../text/text_batch.ts";
import { decodeWhole, MOST_TOKENS } from "../text/text_form.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A request and its answer, with tests where it has any. */
type RealProgram = TextExample & Pick<Program, "specification" | "check">;

/**
 * Requests for programs by Alpaca's template, in the tokens of the model's own tokenizer.
 *
 * An answer passes where its code passes the problem's tests, run by the machine's Python in a sandbox. One without tests,
 * such as CodeFeedback's among the validation examples, passes where it is the reference to the letter. Examples that are tested
 * on all have tests.
 *
 * @throws {DataError} where the model has no tokenizer, Python can't be run in a sandbox, there are no such programs or too
 * few that fit into the model's length, or those to test on have no tests
 */
export async function realPrograms(
  options: TaskOptions & { readonly data: string },
  model: TaskModel | undefined,
): Promise<TaskData> {
  await requirePermission(options.data);
  const { source, form, ...pools } = await takeTexts("code", "code", options, model, {
    modelFamily: "decoder",
    convert: toExample,
  });
  if (pools.test.some(({ check }) => check === undefined)) {
    throw new DataError(
      `Cannot ${
        purposeOf(options.data)
      }: ${source.title} has no tests to score programs with, HumanEval has (HumanEval.jsonl.gz)`,
    );
  }
  const { tokenizer, needs, length } = form;
  const trial = trialOf(tokenizer);
  return {
    source,
    needs,
    ...poolBatches(
      "code",
      options.seed,
      pools,
      (examples) => answerBatch(examples, length, tokenizer),
      (example) => fitsAnswerBatch(example, length, tokenizer),
    ),
    score: (predictor, split) => scorePrograms(predictor, pools[split], trial),
    measure: (predictor, split) => measurePrograms(predictor, pools[split], trial),
  };
}

/** Tests are run by the machine's Python. @throws {DataError} where it can't be run in a sandbox */
export async function requirePermission(path: string): Promise<void> {
  await requirePython(purposeOf(path));
}

function purposeOf(path: string): string {
  return `use ${path} for "code"`;
}

function toExample(program: Program): RealProgram | Skip {
  const { specification, check, language } = program;
  if (check && language !== "python") return { skip: { kind: "tests-not-in-python" } };
  if (check && !/^[A-Za-z_]\w*$/.test(check.entryPoint)) return { skip: { kind: "tests-of-no-function" } };
  return { ...programExample(program), specification, ...(check && { check }) };
}

function trialOf(tokenizer: Tokenizer): ProgramTrial<RealProgram> {
  return {
    promptOf: ({ prompt }) => promptTokens(prompt, tokenizer),
    maxTokens: MOST_TOKENS,
    stop: tokenizer.stops ?? tokenizer.stop,
    async judge(examples, texts) {
      const answers = texts.map((tokens) => decodeWhole(tokens, tokenizer));
      const trials = examples.map(({ specification, check }, i) =>
        check ? pythonTrial(answers[i]!, { specification, check }) : null
      );
      const outcomes = await runDistinct(trials, judgeAll);
      return examples.map(({ check, answer }, i) =>
        check ? outcomes[i] === "passed" : answers[i]!.trim() === answer
      );
    },
  };
}

/** One after the other, so that none is late because of others. */
async function judgeAll(trials: readonly (PythonTrial | null)[]): Promise<(PythonOutcome | null)[]> {
  const outcomes: (PythonOutcome | null)[] = [];
  for (const trial of trials) outcomes.push(trial === null ? null : await judgePython(trial));
  return outcomes;
}
