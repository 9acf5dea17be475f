/** @file Real programs by path for the code task: CodeFeedback to train on, HumanEval's tests to score with. */
import { poolBatches } from "../batches.ts";
import type { Program } from "../data/contents.ts";
import { DataError } from "../data/data_error.ts";
import { takeData } from "../data/load.ts";
import type { Skip } from "../data/read_record.ts";
import { measurePrograms, type ProgramTrial, runDistinct, scorePrograms } from "./program_scores.ts";
import { pythonProgram } from "./python_program.ts";
import { type PythonOutcome, requirePython, runPython } from "./python_sandbox.ts";
import type { TaskData, TaskModel, TaskOptions } from "../task.ts";
import { readModelTokenizer } from "../text/hugging_face_tokenizer.ts";
import { programExample } from "../text/prompts.ts";
import { answerBatch, promptTokens, type TextExample } from "../text/text_batch.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** Most tokens of a program that is scored: HumanEval's own answers have up to 2,000 characters. */
const MOST_TOKENS = 1024;

/** A request and its answer, with tests where it has any. */
interface RealProgram extends TextExample, Pick<Program, "specification" | "check"> {
  /** Tokens of prompt and answer, and the one that ends it. */
  readonly tokens: number;
}

/**
 * Requests for programs by Alpaca's template, in the tokens of the model's own tokenizer. Rows are as long as the longest
 * example that is trained on or validated with, `[examples, tokens]`.
 *
 * An answer passes where its code passes the problem's tests, run by the machine's Python. One without tests, such as
 * CodeFeedback's among the validation examples, passes where it is the reference to the letter. Examples that are tested
 * on all have tests.
 *
 * @throws {DataError} where the model has no tokenizer, running Python is not allowed, there are no such programs or too
 * few that fit into the model's length, or those to test on have no tests
 */
export async function realPrograms(
  options: TaskOptions & { readonly data: string },
  model: TaskModel | undefined,
): Promise<TaskData> {
  await requirePermission(options.data);
  const purpose = purposeOf(options.data);
  const { tokenizer, hash } = await readModelTokenizer(model, purpose);
  const { outputs, inputSize } = model!;
  const { source, classes: _, ...pools } = await takeData("code", "code", options, {
    convert: (program) => toExample(program, tokenizer, inputSize),
    keyOf: ({ prompt }) => prompt,
    by: `${hash} ${inputSize}`,
  });
  const { train, validation, test } = pools;
  if (test.some(({ check }) => check === undefined)) {
    throw new DataError(
      `Cannot ${purpose}: ${source.title} has no tests to score programs with, HumanEval has (HumanEval.jsonl.gz)`,
    );
  }
  const length = [...train, ...validation].reduce((most, { tokens }) => Math.max(most, tokens), 0);
  const trial = trialOf(tokenizer);
  return {
    source,
    needs: { family: "decoder", outputs, inputSize },
    ...poolBatches("code", options.seed, pools, (examples) => answerBatch(examples, length, tokenizer)),
    score: (predictor, split) => scorePrograms(predictor, pools[split], trial),
    measure: (predictor, split) => measurePrograms(predictor, pools[split], trial),
  };
}

/** Tests are run by the machine's Python. @throws {DataError} where that is not allowed, or there is none */
export async function requirePermission(path: string): Promise<void> {
  await requirePython(purposeOf(path));
}

function purposeOf(path: string): string {
  return `use ${path} for "code"`;
}

function toExample(program: Program, tokenizer: Tokenizer, length: number): RealProgram | Skip {
  const { specification, check, language } = program;
  if (check && language !== "python") return { skip: "with tests that are not in Python" };
  if (check && !/^[A-Za-z_]\w*$/.test(check.entryPoint)) return { skip: "with tests of no function" };
  const example = programExample(program);
  try {
    const tokens = promptTokens(example.prompt, tokenizer).length +
      tokenizer.encode(example.answer).length + 1;
    if (tokens > length) return { skip: `longer than ${length} tokens` };
    return { ...example, specification, ...(check && { check }), tokens };
  } catch (error) {
    if (error instanceof RangeError) return { skip: "with characters that the tokenizer lacks" };
    throw error;
  }
}

function trialOf(tokenizer: Tokenizer): ProgramTrial<RealProgram> {
  return {
    promptOf: ({ prompt }) => promptTokens(prompt, tokenizer),
    maxTokens: MOST_TOKENS,
    stop: tokenizer.stop,
    async judge(examples, texts) {
      const answers = texts.map((tokens) => decodeWhole(tokens, tokenizer));
      const programs = examples.map(({ specification, check }, i) =>
        check ? pythonProgram(answers[i]!, { specification, check }) : null
      );
      const outcomes = await runDistinct(programs, runAll);
      return examples.map(({ check, answer }, i) =>
        check ? outcomes[i] === "passed" : answers[i]!.trim() === answer
      );
    },
  };
}

/** Nothing where a token has no text: a model's vocabulary may be longer than its tokenizer's. */
function decodeWhole(tokens: Int32Array, tokenizer: Tokenizer): string {
  try {
    return tokenizer.decode(tokens);
  } catch (error) {
    if (error instanceof RangeError) return "";
    throw error;
  }
}

/** One after the other, so that none is late because of others. */
async function runAll(programs: readonly (string | null)[]): Promise<(PythonOutcome | null)[]> {
  const outcomes: (PythonOutcome | null)[] = [];
  for (const program of programs) outcomes.push(program === null ? null : await runPython(program));
  return outcomes;
}
