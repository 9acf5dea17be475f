/** @file The learning rate of a step. */
import type { Schedule } from "../run.ts";

/**
 * Learning rate of `step`, 1 to `steps`: linear warm-up from 0 to the peak, then constant, linear or cosine to
 * floor · peak at the last step.
 */
export function learningRateAt(schedule: Schedule, step: number, steps: number): number {
  const { kind, learningRate, warmup, floor } = schedule;
  if (step <= warmup) return learningRate * step / warmup;
  if (kind === "constant") return learningRate;
  const share = (step - warmup) / Math.max(1, steps - warmup);
  const fall = kind === "linear" ? 1 - share : 0.5 * (1 + Math.cos(Math.PI * share));
  return learningRate * (floor + (1 - floor) * fall);
}
