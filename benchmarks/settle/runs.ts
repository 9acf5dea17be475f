/** @file The runs of a question: those that choose rates, and the pairs that are scored. */
import { runIds } from "../../training/run.ts";
import type { RunConfig } from "../../training/run.ts";
import type { PlannedRun } from "../sweep/plan.ts";
import { type Contender, FIRST_SEED } from "./question.ts";

/** Runs of a contender at some rates with the seeds that choose rates: never scored on test data. */
export function tuningRuns(
  { run: { config } }: Contender,
  rates: readonly number[],
  seeds: readonly number[],
): Promise<PlannedRun[]> {
  return named(
    rates.flatMap((learningRate) =>
      seeds.map((seed) => ({ ...atRate(config, learningRate), scoreOn: "validation" as const, seed }))
    ),
  );
}

/**
 * A contender's runs of the first pairs. Each pair has a seed and a slice of test examples of its own, which both methods
 * share.
 */
export function pairedRuns(
  { run: { config } }: Contender,
  learningRate: number,
  pairs: number,
): Promise<PlannedRun[]> {
  return named(Array.from({ length: pairs }, (_, pair) => ({
    ...atRate(config, learningRate),
    task: { ...config.task, ...(pair > 0 && { testSlice: pair }) },
    seed: FIRST_SEED + pair,
  })));
}

function atRate(config: RunConfig, learningRate: number): RunConfig {
  return { ...config, schedule: { ...config.schedule, learningRate } };
}

async function named(configs: readonly RunConfig[]): Promise<PlannedRun[]> {
  const ids = await runIds(configs);
  return configs.map((config, i) => ({ id: ids[i]!, config }));
}
