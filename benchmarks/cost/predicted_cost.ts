/** @file What a run costs by formula: what reports print beside what was measured. */
import type { RowLengths } from "../../models/architecture.ts";
import { allOptions, type Registries } from "../../training/configuration.ts";
import { predictMemory } from "../../training/cost/memory.ts";
import type { RunConfig } from "../../training/run.ts";
import { flopsOf, methodFlopsOf } from "../../training/cost/work.ts";
import { countConfig } from "./growth/points.ts";

/** Costs by formula, for rows as long as they were; of the model's full length where that is not known. */
export interface PredictedCost {
  /** As `Cost.stateBytes`. */
  readonly stateBytes: number;
  /** As `Cost.peakBytes`. */
  readonly peakBytes: number;
  /** FLOPs of a step. */
  readonly flops: number;
  /** Of these, what is there for the method: gradients of weights or products with factors, and the update. */
  readonly methodFlops: number;
}

/** Costs of a run with such rows; null where its model or method is no longer known. */
export function predictCost(
  config: RunConfig,
  rows: RowLengths | undefined,
  known: Pick<Registries, "models" | "optimizers">,
): PredictedCost | null {
  const method = Object.values(known.optimizers).find(({ id }) => id === config.optimizer.id);
  if (!method) return null;
  // A run from before an option was there did as its default does.
  const options = allOptions(method, config);
  const whole = { ...config, optimizer: { id: method.id, options } };
  const found = countConfig(whole, known, rows);
  if (!found) return null;
  const { stateBytes, peakBytes } = predictMemory(whole, found.model, method);
  return { stateBytes, peakBytes, flops: flopsOf(found.count), methodFlops: methodFlopsOf(found.count) };
}
