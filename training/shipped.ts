/** @file The entries that ship: the one place that knows all three registries. Everything else is handed them. */
import * as models from "../models/mod.ts";
import * as optimizers from "../optimizers/mod.ts";
import * as tasks from "../tasks/mod.ts";
import type { Library } from "./configuration.ts";
import { joinEntries, type OwnEntries } from "./registry.ts";

/** The tasks, models and methods of this repository. */
export const shipped: Library = {
  tasks: { ...tasks },
  models: { ...models },
  optimizers: { ...optimizers } as unknown as Library["optimizers"],
};

/**
 * What ships, and a caller's own beside it.
 *
 * @throws {UserError} where two have one id
 */
export function withShipped(own: OwnEntries): Library {
  return joinEntries(shipped, own);
}
