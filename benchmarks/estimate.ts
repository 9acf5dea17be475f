/** @file How long runs will take, from how long similar ones took. */
import type { RunConfig, RunResult } from "../training/run.ts";
import { rankOf } from "./method.ts";
import type { ChosenRate } from "./rates.ts";
import { mean } from "./statistics.ts";

/** What a step of some run took, loading, validation and scoring spread over its steps. */
export interface Pace {
  readonly task: string;
  readonly optimizer: string;
  readonly rank: number | null;
  readonly msPerStep: number;
  /** FLOPs of a step; null where they are not counted. */
  readonly flops?: number | null;
}

/** FLOPs of a run's step by formula, by which the pace of one size tells that of another; null to take paces as they are. */
export type CountFlops = (config: RunConfig) => number | null;
const uncounted: CountFlops = () => null;

/** Paces of finished runs. */
export function pacesOf(results: Iterable<RunResult>, countFlops: CountFlops = uncounted): Pace[] {
  return Array.from(results).flatMap((result) =>
    result.status !== "done" ? [] : [{
      task: result.config.task.id,
      optimizer: result.config.optimizer.id,
      rank: rankOf(result.config.optimizer),
      msPerStep: result.outcome.cost.totalMs / result.config.steps,
      flops: countFlops(result.config),
    }]
  );
}

/** Paces that a tuning sweep recorded: perhaps of another machine. */
export function pacesOfRates(rates: readonly ChosenRate[]): Pace[] {
  return rates.map(({ task, optimizer, rank, msPerStep }) => ({ task, optimizer, rank, msPerStep }));
}

/**
 * Milliseconds that a run should take, from the paces most like it; null where there are none. Where FLOPs are counted
 * the paces nearest in size speak, in proportion.
 */
export function estimateMs(
  config: RunConfig,
  paces: readonly Pace[],
  countFlops: CountFlops = uncounted,
): number | null {
  const rank = rankOf(config.optimizer);
  const sameTask = paces.filter((pace) => pace.task === config.task.id);
  const sameMethod = sameTask.filter((pace) => pace.optimizer === config.optimizer.id);
  const sameRank = sameMethod.filter((pace) => pace.rank === rank);
  const nearest = [sameRank, sameMethod, sameTask, paces].find((group) => group.length > 0);
  if (!nearest) return null;
  const flops = countFlops(config);
  const ratios = nearest.map((pace) => flops === null || !pace.flops ? 1 : flops / pace.flops);
  const distances = ratios.map((ratio) => Math.abs(Math.log(ratio))), least = Math.min(...distances);
  const times = nearest.flatMap(({ msPerStep }, i) => distances[i] === least ? [ratios[i]! * msPerStep] : []);
  return config.steps * mean(times);
}

/** Milliseconds of all runs together; null where nothing is known. */
export function estimateAllMs(
  configs: readonly RunConfig[],
  paces: readonly Pace[],
  countFlops: CountFlops = uncounted,
): number | null {
  if (paces.length === 0) return null;
  return configs.reduce((sum, config) => sum + estimateMs(config, paces, countFlops)!, 0);
}

/** A time for people: "45 s", "3 min 20 s", "1 h 5 min". */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
}
