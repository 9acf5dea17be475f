/** @file Whether it is known what the weights that a run begins with were pre-trained on. */
import { RefusedOptions } from "../errors/user_error.ts";
import type { RunConfig } from "./run.ts";

/** Where the weights of a model come from, as `KnownModel` tells it. */
interface Origin {
  readonly recipe?: unknown;
  readonly pretrained?: boolean;
  readonly folder?: unknown;
  readonly adapter?: unknown;
}

/** True of checkpoints that are made here by a recipe, where no other head takes the place of theirs. */
export function isPretrainingKnown(
  { recipe, pretrained, folder, adapter }: Origin,
  { head }: RunConfig["model"],
): boolean {
  return Boolean(recipe) && pretrained === true && folder === undefined && adapter === undefined &&
    head === undefined;
}

/** @throws {RefusedOptions} where a method is to start from what the weights were pre-trained on, and nobody knows what that is */
export function requireKnownPretraining(method: string, origin: Origin, model: RunConfig["model"]): void {
  if (isPretrainingKnown(origin, model)) return;
  const known =
    'that is known of checkpoints that ship, with their own head; "options": {"inputsOf": "task"} in a sweep\'s file, or ' +
    "--vary inputsOf=task, takes inputs of the task";
  throw new RefusedOptions(
    `Cannot start "${method}" from inputs of what model "${model.id}" was pre-trained on: ${known}`,
    `its start takes inputs of what the model was pre-trained on, and ${known}`,
  );
}
