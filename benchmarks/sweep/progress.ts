/** @file What a sweep at work says of itself, to whoever shows it. */
import type { Point, RunConfig, RunResult } from "../../training/run.ts";
import { nameSize, rankOf } from "./method.ts";
import type { PlannedRun } from "./plan.ts";

/** Where a run is. */
export interface TrainProgress {
  readonly phase: "loading" | "training" | "scoring";
  readonly step: number;
  readonly steps: number;
  /** The last loss that was read back; null before the first. */
  readonly loss: number | null;
  /** Losses of the steps' batches as far as they were read back: a list that grows while the run goes on. */
  readonly trainLoss: readonly Point[];
  /** Validation losses so far: a list that grows too. */
  readonly validationLoss: readonly Point[];
}

/**
 * Watches a sweep. Calls come in this order: begin, then start, update…, finish for each run, then end; this again for each
 * round of a search; and stages before, between and after.
 */
export interface Display {
  /** What is done now that is no run, e.g. "Scoring base checkpoints". */
  stage(what: string): void;
  begin(sweep: { readonly done: number; readonly total: number }): void;
  start(run: PlannedRun): void;
  /** @param toGo milliseconds until the whole sweep is done; null where nobody knows */
  update(progress: TrainProgress, toGo: number | null): void;
  finish(result: RunResult, ms: number): void;
  end(): void;
}

/** Shows a sweep in several places. */
export function inAllOf(displays: readonly Display[]): Display {
  return {
    stage: (what) => displays.forEach((display) => display.stage(what)),
    begin: (sweep) => displays.forEach((display) => display.begin(sweep)),
    start: (run) => displays.forEach((display) => display.start(run)),
    update: (progress, toGo) => displays.forEach((display) => display.update(progress, toGo)),
    finish: (result, ms) => displays.forEach((display) => display.finish(result, ms)),
    end: () => displays.forEach((display) => display.end()),
  };
}

/** A run in a few words, e.g. "digits, lora-pro r8, peak 0.002, seed 0". */
export function nameRun(config: RunConfig): string {
  const rank = rankOf(config.optimizer);
  const method = rank === null ? config.optimizer.id : `${config.optimizer.id} r${rank}`;
  return `${config.task.id}, ${method}${nameSize(config)}, peak ${config.schedule.peak}, seed ${config.seed}`;
}
