/** @file From the results of a tuning sweep to the rates that later sweeps use. Looks at validation losses only. */
import type { RunResult } from "../../training/run.ts";
import { methodKey, optionsWithoutRank, rankOf } from "../sweep/method.ts";
import { type ChosenRate, type ChosenRates, filesOf, modulesOf, type RateEvidence } from "./rates.ts";
import { mean } from "../statistics/statistics.ts";
import { lateValidationLoss, meanLogLoss } from "./late_loss.ts";

type Finished = Exclude<RunResult, { readonly status: "failed" }>;

/**
 * Chooses for each task with its data, model, method and rank the rate with the least mean log of the late validation loss.
 *
 * A rate at which a run diverged is not chosen; of equal rates the smaller one is. Where every rate diverged, or was
 * tried with fewer seeds than the others, there is no choice. Pure: the same results, in any order, give the same answer.
 */
export function choose(sweep: string, results: readonly RunResult[]): ChosenRates {
  const finished = results.filter((result): result is Finished => result.status !== "failed")
    .toSorted((a, b) => a.id < b.id ? -1 : 1);
  const environment = finished[0]?.environment;
  const groups = Object.groupBy(
    finished,
    ({ config }) =>
      JSON.stringify([
        config.task.id,
        config.model.id,
        filesOf(config),
        methodKey(config.optimizer),
        rankOf(config.optimizer),
      ]),
  );
  const rates = Object.values(groups).flatMap((group) => chooseOne(group!));
  return {
    schema: 1,
    sweep,
    environment: {
      adapter: environment?.adapter ?? "unknown",
      backend: environment?.backend ?? "unknown",
      deno: environment?.deno ?? "unknown",
      commit: environment?.commit ?? "unknown",
    },
    rates: rates.toSorted((a, b) => order(a) < order(b) ? -1 : 1),
  };
}

/** The rates, and of those shipped the ones for tasks, models and methods that were not chosen for: a whole to ship. */
export function withShipped(chosen: ChosenRates, shipped: readonly ChosenRate[]): ChosenRates {
  const about = ({ task, model, optimizer }: ChosenRate) => JSON.stringify([task, model, optimizer]);
  const own = new Set(chosen.rates.map(about));
  const rates = [...chosen.rates, ...shipped.filter((rate) => !own.has(about(rate)))];
  return { ...chosen, rates: rates.toSorted((a, b) => order(a) < order(b) ? -1 : 1) };
}

/** Last validation loss of a run; null where it diverged or was never measured. */
export function finalValidationLoss(result: RunResult): number | null {
  return result.status === "done" ? result.outcome.validationLoss.at(-1)?.value ?? null : null;
}

/** The best rate of the best batch size and steps, where a group has several. */
function chooseOne(group: readonly Finished[]): ChosenRate[] {
  const bySizes = Object.values(
    Object.groupBy(group, ({ config }) => JSON.stringify([config.batchSize, config.steps])),
  );
  const choices = bySizes.flatMap((runs) => chooseRate(runs!));
  const [best] = choices.toSorted((a, b) =>
    a.loss - b.loss || a.batchSize - b.batchSize || a.rate.steps - b.rate.steps
  );
  if (!best) return [];
  return [{ ...best.rate, ...(bySizes.length > 1 && { batchSize: best.batchSize }) }];
}

function chooseRate(
  group: readonly Finished[],
): { readonly rate: ChosenRate; readonly loss: number; readonly batchSize: number }[] {
  const byLearningRate = Object.values(
    Object.groupBy(group, ({ config }) => String(config.schedule.learningRate)),
  )
    .map((runs) => runs!.toSorted((a, b) => a.config.seed - b.config.seed))
    .toSorted((a, b) => a[0]!.config.schedule.learningRate - b[0]!.config.schedule.learningRate);
  const evidence: RateEvidence[] = byLearningRate.map((runs) => ({
    learningRate: runs[0]!.config.schedule.learningRate,
    seeds: runs.map(({ config }) => config.seed),
    validationLosses: runs.map(lateValidationLoss),
  }));
  const seeds = Math.max(...evidence.map((entry) => entry.seeds.length));
  const complete = evidence.filter((entry) =>
    entry.seeds.length === seeds && entry.validationLosses.every((loss) => loss !== null)
  );
  const loss = (entry: RateEvidence) => meanLogLoss(entry.validationLosses);
  const [best, runnerUp] = complete.toSorted((a, b) => loss(a) - loss(b) || a.learningRate - b.learningRate);
  if (!best) return [];
  const [first] = group;
  const times = group.flatMap((run) =>
    run.status === "done" ? [run.outcome.cost.totalMs / run.config.steps] : []
  );
  const rate: ChosenRate = {
    task: first!.config.task.id,
    model: first!.config.model.id,
    ...filesOf(first!.config),
    ...modulesOf(first!.config),
    optimizer: first!.config.optimizer.id,
    options: optionsWithoutRank(first!.config.optimizer),
    rank: rankOf(first!.config.optimizer),
    learningRate: best.learningRate,
    runnerUp: runnerUp?.learningRate ?? null,
    lead: runnerUp ? Number(Math.expm1(loss(runnerUp) - loss(best)).toPrecision(3)) : null,
    atEdge: evidence.length > 1 && (best === evidence[0] || best === evidence.at(-1)),
    steps: first!.config.steps,
    msPerStep: Number(mean(times).toFixed(3)),
    evidence,
  };
  return [{ rate, loss: loss(best), batchSize: first!.config.batchSize }];
}

function order(rate: ChosenRate): string {
  return JSON.stringify([rate.task, rate.optimizer, String(rate.rank ?? 0).padStart(6, "0"), rate.options]);
}
