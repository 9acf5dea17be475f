/** @file Finds entries of the four registries by their ids. */
import { UserError } from "./user_error.ts";

/**
 * Finds an entry of a registry (the `mod.ts` of optimizers, tasks, models or charts) by its id.
 *
 * @throws {UserError} where there is none, with the known ids
 */
export function lookup<T extends { readonly id: string }>(
  kind: string,
  registry: Readonly<Record<string, T>>,
  id: string,
): T {
  const entries = Object.values(registry);
  const found = entries.find((entry) => entry.id === id);
  if (!found) {
    throw new UserError(
      `Cannot find ${kind} "${id}": known are ${entries.map((entry) => entry.id).join(", ")}`,
    );
  }
  return found;
}
