/** @file A stored run as a sweep of its own: `./run bench results/quick/runs/0123456789abcdef.json` runs it again. */
import { UserError } from "../../errors/user_error.ts";
import { type Cache, withFetched } from "../../files/fetched.ts";
import type { Registries } from "../../training/configuration.ts";
import { withOwnTasks } from "../../training/resolve/resolve.ts";
import { describe } from "./described.ts";
import type { RunConfig } from "../../training/run.ts";
import type { Plan } from "./plan.ts";
import { readRun } from "./store.ts";

/** True for a path whose last part is named as stored runs are. */
export function isStoredRun(path: string): boolean {
  return /(^|\/)[0-9a-f]{16}\.json$/.test(path);
}

/**
 * A plan with the run of a file alone, whatever it ended in, and the registries with data of the user's that it is about. Its config is complete and stays as it is: the same run has
 * the same name.
 *
 * @param command what was typed
 * @param changes names of settings that the command would change
 * @param cache where what it took from the Hub lies, if not where it was
 * @throws {UserError} where the file isn't a stored run, where settings would change, and for what was not fetched here
 */
export async function planRerun<R extends Registries>(
  path: string,
  command: string,
  changes: readonly string[],
  registries: R,
  cache: Cache | null,
): Promise<{ readonly plan: Plan; readonly registries: R }> {
  if (changes.length > 0) {
    throw new UserError(
      `Cannot run ${path} again with other ${changes.join(", ")}: a stored run stays as it is`,
    );
  }
  const run = await readRun(path), { id } = run;
  const about = { name: `rerun-${id}`, question: `Does run ${id} end as before?`, command };
  return await planReruns([run], about, registries, cache);
}

/** A plan with stored runs, whatever they ended in, and the registries with data of the user's that they are about. */
export async function planReruns<R extends Registries>(
  stored: readonly { readonly id: string; readonly config: RunConfig }[],
  about: Pick<Plan, "name" | "question" | "command">,
  registries: R,
  cache: Cache | null,
): Promise<{ readonly plan: Plan; readonly registries: R }> {
  const configs = stored.map(({ config }) => cache ? withFetched(config, cache) : config);
  const known = await withOwnTasks(configs, registries);
  const described = describe(configs, known);
  const plan: Plan = {
    schema: 1,
    ...about,
    ratesFrom: null,
    rates: [],
    notes: [],
    ...(described && { described }),
    runs: stored.map(({ id }, i) => ({ id, config: configs[i]! })),
  };
  return { plan, registries: known };
}
