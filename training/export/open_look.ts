/** @file Finds the model that an adapter is of, and the run that it is compared with, and looks at it. */
import { UserError } from "../../errors/user_error.ts";
import { readPeftFolder } from "../../models/adapters/read_peft.ts";
import type { LowRankChange } from "../../models/adapters/low_rank_change.ts";
import { readModelFolder } from "../../models/checkpoints/model_folder.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { Library } from "../configuration.ts";
import type { RunResult } from "../run.ts";
import { type AdapterLook, lookAtAdapter } from "./look_at_adapter.ts";
import { onTopOf, readTrained } from "./trained_run.ts";

/** A run to compare an adapter with, and the file of what it trained. */
export interface ComparedRun {
  readonly run: RunResult;
  readonly trained: string;
}

/**
 * Looks at an adapter.
 *
 * @param model the folder of its base model; where absent the adapter has to name one of the project's
 * @throws {UserError} where the model is not known, and where what the run trained was not kept
 * @throws {CheckpointError} where the adapter or the model can't be read, or don't fit each other
 */
export async function openLook(
  folder: string,
  model: string | undefined,
  compared: ComparedRun | null,
  { models }: Library,
): Promise<AdapterLook> {
  const entry = await findBase(folder, model, models);
  const changes = compared ? await changesOf(compared, entry) : [];
  return await lookAtAdapter(folder, entry, changes);
}

/** What a run made of the published weights: its own changes, with those of the adapter that it began with. */
async function changesOf(
  { run, trained }: ComparedRun,
  entry: ModelEntry,
): Promise<readonly LowRankChange[]> {
  const own = await readTrained(trained, run, entry), { adapter } = run.config.model;
  if (!adapter) return own.changes;
  const both = onTopOf(await readPeftFolder(adapter.path), own);
  if (typeof both === "string") throw new UserError(`Cannot compare with run ${run.id}: ${both}`);
  return both.changes;
}

async function findBase(
  folder: string,
  model: string | undefined,
  models: Library["models"],
): Promise<ModelEntry> {
  if (model !== undefined) {
    return await readModelFolder(
      model,
      model.split("/").filter((part) => part !== "").at(-1) ?? "model",
    );
  }
  const { base } = await readPeftFolder(folder), known = Object.values(models).find(({ id }) => id === base);
  if (known) return known;
  throw new UserError(
    `Cannot look at ${folder}: its base model is ${
      base === null ? "not said" : `"${base}"`
    }, --model DIR names its folder`,
  );
}
