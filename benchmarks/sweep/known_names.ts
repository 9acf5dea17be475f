/** @file Names that are held against what there is before anything is made of them, so that a mistyped one is told first. */
import { unknownName } from "../../errors/unknown_name.ts";
import type { Registries } from "../../training/configuration.ts";
import { ALL, type SweepOverrides, type SweepSpec } from "./sweep.ts";

/** Names of entries of the registries. */
export interface Names {
  readonly tasks: readonly string[];
  readonly optimizers: readonly string[];
  readonly models?: readonly string[];
}

/**
 * Refuses names that nobody has.
 *
 * @param file the file that has the names; absent where they were typed
 * @throws {UserError} for the first of them
 */
export function requireKnown(
  { tasks, optimizers, models = [] }: Names,
  registries: Registries,
  file?: string,
): void {
  const kinds = [
    ["task", tasks, registries.tasks],
    ["optimizer", optimizers, registries.optimizers],
    ["model", models, registries.models],
  ] as const;
  for (const [kind, names, entries] of kinds) {
    const known = Object.values(entries).map(({ id }) => id);
    const unknown = names.find((name) => name !== ALL && !known.includes(name));
    if (unknown === undefined) continue;
    const where = file === undefined ? "" : `, which ${file} names`;
    throw unknownName(`${kind} "${unknown}"${where}`, unknown, known);
  }
}

/** The names that a sweep has and the command line leaves; of models those that are no folders. */
export function namesLeft({ tasks, optimizers, settle }: SweepSpec, overrides: SweepOverrides): Names {
  const left = overrides.tasks ? [] : tasks;
  return {
    tasks: left.map(({ task }) => task.id),
    optimizers: [
      ...overrides.optimizers ? [] : optimizers.map(({ id }) => id),
      ...settle?.against === undefined ? [] : [settle.against],
    ],
    models: overrides.model === undefined
      ? left.flatMap(({ model }) => model && model.path === undefined ? [model.id] : [])
      : [],
  };
}
