/** @file How far a run is, and who is told. */
import type { KeepingHooks } from "../checkpoint/keeper.ts";
import type { Trained } from "./trained.ts";
import type { Discrepancy, Point } from "../run.ts";

/** How far a run is. */
export interface Progress {
  /** What is under way. */
  readonly phase: "loading" | "training" | "scoring";
  /** Steps taken. */
  readonly step: number;
  /** Steps to take. */
  readonly steps: number;
  /** The latest loss that was read back; null before the first. */
  readonly loss: number | null;
  /** Losses of the steps' batches as far as they were read back: a list that grows while the run goes on. */
  readonly trainLoss: readonly Point[];
  /** Validation losses so far: a list that grows too. */
  readonly validationLoss: readonly Point[];
  /** Measurements of the full gradient so far: another list that grows. */
  readonly discrepancies: readonly Discrepancy[];
}

/** What a caller may watch, and how a run is stopped and kept. */
export interface TrainHooks extends KeepingHooks {
  /** Called now and then, never from inside a step. */
  readonly onProgress?: (progress: Progress) => void;
  /** Takes what the run trained, before it is scored; waited for. Not called where the run diverged. */
  readonly onTrained?: (trained: Trained) => Promise<void>;
}
