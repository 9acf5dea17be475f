/** @file Scores the examples of a split, and takes the task's measures of them. */
import type { Predictor, Split, Task, TaskData } from "../../tasks/task.ts";
import { takeMeasures } from "./measures.ts";
import type { RunOutcome } from "../run.ts";

/** The score of each example, and what else the task measures of them. */
export async function scoreExamples(
  task: Pick<Task, "id" | "measures">,
  data: TaskData,
  predictor: Predictor,
  split: Split,
): Promise<Pick<RunOutcome, "scores" | "measures">> {
  const scores = [...await data.score(predictor, split)];
  const measures = await takeMeasures(task, data, predictor, split, scores.length);
  return { scores, ...(measures && { measures }) };
}
