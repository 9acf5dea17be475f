/** @file Registries are values: what ships, and what a caller brings beside it. */
import type { ModelEntry } from "../models/entry.ts";
import type { OptimizerModule } from "../optimizers/optimizer.ts";
import type { Task } from "../tasks/task.ts";
import type { Registries } from "./configuration.ts";
import type { ModuleSource } from "./run.ts";
import { UserError } from "../errors/user_error.ts";

/** A caller's own entries, by any name. */
export interface OwnEntries {
  /** Tasks. */
  readonly tasks?: Readonly<Record<string, Task>>;
  /** Models. */
  readonly models?: Readonly<Record<string, ModelEntry>>;
  /** Methods, whatever their options. */
  // deno-lint-ignore no-explicit-any -- a method takes its own options alone, and configs are checked against them
  readonly optimizers?: Readonly<Record<string, OptimizerModule<any>>>;
  /** The files that they are from, by the entry, as `loadModules` notes them. What has none goes by its id alone. */
  readonly sources?: ReadonlyMap<unknown, ModuleSource>;
}

/** The kinds of entries, and what people call one of them. */
export const KINDS = { tasks: "task", models: "model", optimizers: "method" } as const;

/** What ids may look like. */
const ID = /^[a-z0-9][a-z0-9-]*$/;

/**
 * The registries with further entries. What they have already stays as it is.
 *
 * @throws {UserError} where two have one id, and for ids that no config may say
 */
export function joinEntries<R extends Registries>(registries: R, own: OwnEntries): R {
  const sources = new Map([...registries.sources ?? [], ...own.sources ?? []]);
  const brought = new Set(registries.own), joined: Record<string, Record<string, unknown>> = {};
  for (const kind of ["tasks", "models", "optimizers"] as const) {
    const all: Record<string, { readonly id: string }> = { ...registries[kind] };
    for (const entry of Object.values<{ readonly id: string }>(own[kind] ?? {})) {
      const validate = (reason: string) => {
        const source = sources.get(entry), from = source ? ` of ${source.path}` : "";
        return new UserError(`Cannot use ${KINDS[kind]} "${entry.id}"${from}: ${reason}`);
      };
      if (!ID.test(entry.id)) throw validate("lower-case letters, digits and hyphens are needed in its id");
      const twin = Object.values(all).find(({ id }) => id === entry.id);
      if (twin === entry) continue;
      if (twin) {
        const theirs = sources.get(twin)?.path ?? "the harness";
        throw validate(`${theirs} has one of that id, another id is needed`);
      }
      // No export's name has a space.
      all[`own ${entry.id}`] = entry;
      brought.add(entry);
    }
    joined[kind] = all;
  }
  return {
    ...registries,
    ...joined,
    ...(sources.size > 0 && { sources }),
    ...(brought.size > 0 && { own: brought }),
  };
}

/** The registries without what a caller brought. */
export function withoutOwn<R extends Registries>(registries: R): R {
  const { tasks, models, optimizers, own } = registries;
  const left = (entries: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(entries).filter(([, entry]) => !own?.has(entry)));
  return own
    ? { ...registries, tasks: left(tasks), models: left(models), optimizers: left(optimizers) }
    : registries;
}
