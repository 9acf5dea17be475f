/** @file What a sweep and a dry run begin with: whether runs can be made, and what they take. */
import type { ResolvedRun } from "../../training/resolve/resolve.ts";
import { countRuns, type WorkOf } from "../cost/run_work.ts";

/**
 * Counts what runs take, once it is known that they can be made.
 *
 * @throws {UserError} where one can't
 * @throws {DataError} for real data that can't be used, and where the process may not do what runs on them need
 */
export async function prepareRuns(runs: readonly ResolvedRun[]): Promise<WorkOf> {
  for (const [{ data }, { realData }] of new Map(runs.map(({ config, task }) => [config.task, task]))) {
    if (data !== undefined) await realData?.requirePermission?.(data);
  }
  return await countRuns(runs);
}
