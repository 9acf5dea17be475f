/** @file What a sweep at work says of itself, to whoever shows it. */
import type { Progress } from "../../training/loop/progress.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { nameSize, rankOf } from "./method.ts";
import type { PlannedRun } from "./plan.ts";

/**
 * Watches a sweep. Calls come in this order: begin, then start, update…, finish for each run, then end; this again for each
 * round of a search; and stages before, between and after.
 */
export interface Display {
  /** What is done now that is no run, e.g. "Scoring base checkpoints". */
  stage(what: string): void;
  begin(sweep: { readonly done: number; readonly total: number }): void;
  /** So many runs are made by now, by whomever: said before a run starts. */
  count?(done: number): void;
  start(run: PlannedRun): void;
  /** @param toGo milliseconds until the whole sweep is done; null where nobody knows */
  update(progress: Progress, toGo: number | null): void;
  finish(result: RunResult, ms: number): void;
  end(): void;
}

/** Shows a sweep in several places. */
export function inAllOf(displays: readonly Display[]): Display {
  return {
    stage: (what) => displays.forEach((display) => display.stage(what)),
    begin: (sweep) => displays.forEach((display) => display.begin(sweep)),
    count: (done) => displays.forEach((display) => display.count?.(done)),
    start: (run) => displays.forEach((display) => display.start(run)),
    update: (progress, toGo) => displays.forEach((display) => display.update(progress, toGo)),
    finish: (result, ms) => displays.forEach((display) => display.finish(result, ms)),
    end: () => displays.forEach((display) => display.end()),
  };
}

/** A run in a few words, e.g. "digits, lora-pro r8, lr 0.002, seed 0". */
export function nameRun(config: RunConfig): string {
  const rank = rankOf(config.optimizer);
  const method = rank === null ? config.optimizer.id : `${config.optimizer.id} r${rank}`;
  return `${config.task.id}, ${method}${
    nameSize(config)
  }, lr ${config.schedule.learningRate}, seed ${config.seed}`;
}
