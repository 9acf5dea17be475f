/** @file What stays as it is while a field varies: the examples that a run sees, or the numbers that a method trains. */
import { completeConfig, type Registries, resolveModel } from "../../training/configuration.ts";
import { countTrained } from "../../training/cost/trained.ts";
import { lookup } from "../../training/lookup.ts";
import type { RunConfig } from "../../training/run.ts";
import type { Equal } from "./axes.ts";
import { rankOf } from "./method.ts";
import { withSteps } from "./steps.ts";

/**
 * A config of a sweep that varies fields, with what keeps the rest equal.
 *
 * - "examples": as many steps as see the plain config's examples, rounded; warm-up and what is measured scale along.
 * - "parameters": of a method with a rank, the rank at which the count of trained numbers is nearest to the plain config's;
 *   of two equally near the smaller.
 *
 * @param config with the field's value, complete
 * @param plain without it, complete
 * @throws {UserError} for a rank that the method refuses
 */
export function atEqual(
  config: RunConfig,
  plain: RunConfig,
  equal: readonly Equal[],
  registries: Registries,
  where: string,
): RunConfig {
  let result = config;
  if (equal.includes("examples") && config.batchSize !== plain.batchSize) {
    const steps = Math.max(1, Math.round(plain.steps * plain.batchSize / config.batchSize));
    result = withSteps(result, steps);
  }
  if (equal.includes("parameters") && rankOf(config.optimizer) !== null) {
    result = withRank(result, rankFor(result, trainedBy(plain, registries), registries));
  }
  return completeConfig(result, registries, where);
}

function withRank(config: RunConfig, rank: number): RunConfig {
  const { optimizer } = config;
  return { ...config, optimizer: { ...optimizer, options: { ...optimizer.options, rank } } };
}

function trainedBy(config: RunConfig, { models, optimizers }: Registries): number {
  const method = lookup("optimizer", optimizers, config.optimizer.id, config.optimizer.module);
  return countTrained(config, resolveModel(config.model, models), method);
}

/** Counts grow with the rank, or fall with it: doubled until they pass what is wanted, then halved towards it. */
function rankFor(config: RunConfig, wanted: number, registries: Registries): number {
  const countAt = (rank: number) => trainedBy(withRank(config, rank), registries);
  const falls = countAt(2) < countAt(1);
  const isShort = (rank: number) => falls ? countAt(rank) > wanted : countAt(rank) < wanted;
  let low = 1, high = 1;
  while (isShort(high) && high < 2 ** 20) [low, high] = [high, high * 2];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isShort(middle)) low = middle;
    else high = middle;
  }
  return Math.abs(countAt(high) - wanted) < Math.abs(countAt(low) - wanted) ? high : low;
}
