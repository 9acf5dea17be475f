/** @file The validation loss that a run is judged by where learning rates are chosen. */
import { mean } from "../statistics/statistics.ts";
import type { RunResult } from "../../training/run.ts";

/** Validation losses at the end of a run that count: of one alone, chance is a larger part. */
const LAST = 3;

/**
 * The geometric mean of a run's last three validation losses, or of as many as it has after its start; null where it has
 * none or diverged.
 */
export function lateValidationLoss(result: RunResult): number | null {
  const last = result.status === "done"
    ? result.outcome.validationLoss.filter(({ step }) => step > 0).slice(-LAST)
    : [];
  // As many digits as 32-bit losses have.
  return last.length === 0
    ? null
    : Number(Math.exp(mean(last.map(({ value }) => Math.log(value)))).toPrecision(7));
}

/** The mean logarithm of such losses; Infinity where one is null. */
export function meanLogLoss(losses: readonly (number | null)[]): number {
  return mean(losses.map((loss) => loss === null ? Infinity : Math.log(loss)));
}
