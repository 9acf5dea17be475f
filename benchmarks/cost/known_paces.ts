/** @file What is known about running times before a sweep: from its own results, else from a tuning sweep that ships. */
import type { Registries } from "../../training/configuration.ts";
import { resolveRuns } from "../../training/resolve/resolve.ts";
import { withoutOwn } from "../../training/registry.ts";
import { UserError } from "../../errors/user_error.ts";
import { Forecast, type Pace, paceOf } from "./estimate.ts";
import { rankOf } from "../sweep/method.ts";
import type { Plan } from "../sweep/plan.ts";
import { countRuns, type WorkOf } from "./run_work.ts";
import type { Stored } from "../sweep/store.ts";
import { expand } from "../sweep/sweep.ts";
import { readChosen, readSweep } from "../sweep/sweep_files.ts";

/** The sweep whose recorded paces serve as long as nothing was measured. */
const TUNING = "tune";

/** What is known about running times: from the plan's own results, on top of what a tuning sweep recorded. */
export async function forecastFor(
  plan: Pick<Plan, "runs">,
  { results }: Pick<Stored, "results">,
  registries: Registries,
  workOf: WorkOf,
): Promise<{
  readonly forecast: Forecast;
  /** Where it is from, for people; null where nothing is known. */
  readonly from: string | null;
}> {
  const tasks = new Set(plan.runs.map(({ config }) => config.task.id));
  const { paces, adapter } = await tuningPaces(withoutOwn(registries), tasks);
  let from = paces.length > 0 ? `sweep "${TUNING}" on ${adapter}` : null;
  const forecast = new Forecast(workOf, paces);
  for (const { id, config } of plan.runs) {
    const result = results.get(id);
    if (result?.status !== "done") continue;
    forecast.noteResult(config, result);
    from = "the runs that are stored";
  }
  return { forecast, from };
}

/**
 * Paces of a tuning sweep that ships, of these tasks where it has any of them, and the adapter that they were made on; none
 * where it doesn't fit these registries.
 */
async function tuningPaces(
  registries: Registries,
  tasks: ReadonlySet<string>,
): Promise<{ readonly paces: readonly Pace[]; readonly adapter: string }> {
  try {
    const { rates, environment: { adapter } } = await readChosen(TUNING);
    const own = rates.filter(({ task }) => tasks.has(task)), chosen = own.length > 0 ? own : rates;
    const spec = await readSweep(TUNING),
      ids = new Set(Object.values(registries.optimizers).map(({ id }) => id));
    const optimizers = spec.optimizers.filter(({ id }) => id === "*" || ids.has(id));
    const { configs } = expand({ ...spec, optimizers }, registries);
    const known = chosen.flatMap((rate) => {
      const config = configs.find(({ task, optimizer }) =>
        task.id === rate.task && optimizer.id === rate.optimizer && rankOf(optimizer) === rate.rank
      );
      return config
        ? [{ config: { ...config, steps: rate.steps }, totalMs: rate.steps * rate.msPerStep }]
        : [];
    });
    const workOf = await countRuns(await resolveRuns(known.map(({ config }) => config), registries));
    return { paces: known.map(({ config, totalMs }) => paceOf(config, workOf(config), totalMs)), adapter };
  } catch (error) {
    if (error instanceof UserError) return { paces: [], adapter: "unknown" };
    throw error;
  }
}
