/** @file A task's examples for a model: loaded, and held against what the model takes, by plans and runs alike. */
import type { RowLengths } from "../../models/architecture.ts";
import type { Task, TaskData } from "../../tasks/task.ts";
import type { KnownModel } from "../configuration.ts";
import { shapedByHead } from "./heads.ts";
import type { RunConfig } from "../run.ts";
import { UserError } from "../../errors/user_error.ts";

/**
 * The examples of a config's task for its model, which can take them. Uses no GPU: what is refused here is refused before
 * anything runs.
 *
 * @param model the config's, in its size and without its head
 * @throws {UserError} where there are fewer examples than the config asks for, and where the vocabulary, the classes or the
 * lengths of the task's examples are not the model's with the config's head
 * @throws {DataError} where real data can't be read or used
 */
export async function loadExamples(
  task: Pick<Task, "id" | "load">,
  model: KnownModel,
  config: Pick<RunConfig, "task" | "model" | "seed">,
): Promise<TaskData> {
  const { id: _, module: _module, ...amounts } = config.task;
  let data: TaskData;
  try {
    data = await task.load({ seed: config.seed, ...amounts }, model);
  } catch (error) {
    if (error instanceof RangeError) throw new UserError(error.message);
    throw error;
  }
  requireFit(task, data, await shapedByHead(config.model, model, data));
  return data;
}

function requireFit(
  task: Pick<Task, "id">,
  { needs }: TaskData,
  { id, family, outputs, inputSize }: KnownModel,
): void {
  if (needs.family === family && needs.outputs === outputs && needs.inputSize <= inputSize) return;
  throw new UserError(
    `Cannot train model "${id}" (${family}, ${outputs} outputs, inputs to ${inputSize}) on task "${task.id}": it needs ${needs.family}, ${needs.outputs} and ${needs.inputSize}`,
  );
}

/** Tokens of the rows of a task's batches; null for images. */
export function rowLengthsOf(data: Pick<TaskData, "trainBatch">): RowLengths | null {
  const batch = data.trainBatch(1, 1);
  switch (batch.family) {
    case "decoder":
      return { input: batch.tokens.shape[1]!, target: 0 };
    case "encoder":
      return { input: batch.tokens.shape[1]!, target: 0 };
    case "encoder-decoder":
      return { input: batch.inputs.shape[1]!, target: batch.targets.shape[1]! };
    case "vision":
      return null;
  }
}
