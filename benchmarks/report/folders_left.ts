/** @file Registries with the models that runs take from folders. */
import type { Registries } from "../../training/configuration.ts";
import type { RunConfig } from "../../training/run.ts";
import { openFolders } from "../../training/resolve/resolve.ts";
import { isUserFault } from "../../errors/fault.ts";

type Choosing = Pick<RunConfig, "model">;

/**
 * The registries with an entry for each folder that one of the configs takes its model from, as far as the folders are
 * there still: a report of old runs goes without what it would count from the others.
 */
export async function withFoldersLeft(
  configs: readonly Choosing[],
  registries: Registries,
): Promise<Registries> {
  let known = registries;
  for (const config of configs) {
    try {
      known = await openFolders([config], known);
    } catch (error) {
      if (!isUserFault(error)) throw error;
    }
  }
  return known;
}
