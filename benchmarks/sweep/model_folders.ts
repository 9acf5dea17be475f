/** @file Registries with the models that runs take from folders. */
import type { Registries } from "../../training/configuration.ts";
import type { RunConfig } from "../../training/run.ts";
import { isUserFault } from "../../errors/fault.ts";

type Choosing = Pick<RunConfig, "model">;

/**
 * The registries with an entry for each folder that one of the configs takes its model from.
 *
 * @throws {UserError} where a registered name is given to a model of other sizes
 * @throws {CheckpointError} where a folder cannot be read or does not fit its own config
 */
export async function withFolders(configs: readonly Choosing[], registries: Registries): Promise<Registries> {
  if (configs.every(({ model }) => model.path === undefined)) return registries;
  // Loaded when needed: models bring the GPU's part of the program along.
  const { withModelFolders } = await import("../../training/resolve/model_folders.ts");
  return { ...registries, models: await withModelFolders(configs, registries.models) };
}

/** The same where folders may be gone: a report of old runs goes without what it would count from them. */
export async function withFoldersLeft(
  configs: readonly Choosing[],
  registries: Registries,
): Promise<Registries> {
  let known = registries;
  for (const config of configs) {
    try {
      known = await withFolders([config], known);
    } catch (error) {
      if (!isUserFault(error)) throw error;
    }
  }
  return known;
}
