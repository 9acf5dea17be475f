/** @file What the weights that a run begins with were pre-trained on. */
import * as corpora from "../../tasks/pretraining.ts";
import type { Task, TaskData } from "../../tasks/task.ts";
import type { KnownModel } from "../configuration.ts";
import { isPretrainingKnown } from "../known_pretraining.ts";
import type { RunConfig } from "../run.ts";

/** Examples that base checkpoints are pre-trained with; of an endless corpus those to train on are made as they come. */
export const PRETRAINING_AMOUNTS = { trainExamples: 4000, validationExamples: 200, testExamples: 1 } as const;

/** Held-out examples of its corpus that a run's forgetting is told by: as many as it validates on, where there are so many. */
export function retainedExamples({ task: { validationExamples } }: Pick<RunConfig, "task">): number {
  return Math.min(validationExamples, PRETRAINING_AMOUNTS.validationExamples);
}

/** The corpus of a model's recipe; null where its weights are not from it, or another head takes the place of theirs. */
export function corpusOf(
  model: Pick<KnownModel, "recipe" | "pretrained" | "folder" | "adapter">,
  choice: RunConfig["model"],
): Task | null {
  if (!isPretrainingKnown(model, choice)) return null;
  return Object.values<Task>(corpora).find(({ id }) => id === model.recipe!.task) ?? null;
}

/** Corpora that were loaded, by their ids and held-out examples: they are the same for all runs. */
const loaded = new Map<string, Promise<TaskData>>();

/** What a base checkpoint was pre-trained on, and so many examples that it was not. */
export function loadCorpus(corpus: Task, seed: number, validationExamples: number): Promise<TaskData> {
  const key = `${corpus.id} ${validationExamples}`;
  const data = loaded.get(key) ?? corpus.load({ ...PRETRAINING_AMOUNTS, validationExamples, seed });
  loaded.set(key, data);
  return data;
}
