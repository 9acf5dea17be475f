/** @file Finds entries of the four registries by their ids. */
import type { ModuleSource } from "./run.ts";
import { unknownName } from "../errors/unknown_name.ts";
import { UserError } from "../errors/user_error.ts";

/**
 * Finds an entry of a registry (the `mod.ts` of optimizers, tasks, models or charts) by its id.
 *
 * @param from the file that the entry was from, where it was noted
 * @throws {UserError} where there is none, with the known ids, and how to load that file
 */
export function lookup<T extends { readonly id: string }>(
  kind: string,
  registry: Readonly<Record<string, T>>,
  id: string,
  from?: ModuleSource,
): T {
  const entries = Object.values(registry);
  const found = entries.find((entry) => entry.id === id);
  if (!found) {
    if (from) {
      const known = entries.map((entry) => entry.id).join(", ");
      throw new UserError(
        `Cannot find ${kind} "${id}": it was from ${from.path}, --with loads it; known are ${known}`,
      );
    }
    throw unknownName(`${kind} "${id}"`, id, entries.map((entry) => entry.id));
  }
  return found;
}
