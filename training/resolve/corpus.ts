/** @file What the weights that a run begins with were pre-trained on. */
import * as corpora from "../../tasks/pretraining.ts";
import type { Task } from "../../tasks/task.ts";
import type { KnownModel } from "../configuration.ts";
import type { RunConfig } from "../run.ts";

/** Examples that base checkpoints are pre-trained with; of an endless corpus those to train on are made as they come. */
export const PRETRAINING_AMOUNTS = { trainExamples: 4000, validationExamples: 200, testExamples: 1 } as const;

/** Held-out examples of its corpus that a run's forgetting is told by: as many as it validates on, where there are so many. */
export function retainedExamples({ task: { validationExamples } }: Pick<RunConfig, "task">): number {
  return Math.min(validationExamples, PRETRAINING_AMOUNTS.validationExamples);
}

/** The corpus of a model's recipe; null where its weights are not from it, or another head takes the place of theirs. */
export function corpusOf(
  { recipe, pretrained, folder, adapter }: Pick<KnownModel, "recipe" | "pretrained" | "folder" | "adapter">,
  { head }: RunConfig["model"],
): Task | null {
  if (!recipe || !pretrained || folder !== undefined || adapter !== undefined || head !== undefined) {
    return null;
  }
  return Object.values<Task>(corpora).find(({ id }) => id === recipe.task) ?? null;
}
