/** @file Two sweeps that are compared, and how that can end. */
import type { BaseResult, RunResult } from "../../../training/run.ts";
import type { Plan } from "../../sweep/plan.ts";

/** One of the two sweeps. */
export interface ComparedSweep {
  /** Null where it is lost. */
  readonly plan: Plan | null;
  /** Its results, in the order of its report. */
  readonly results: readonly RunResult[];
  readonly bases: readonly BaseResult[];
  /** Sentences about files that can't be used. */
  readonly faults: readonly string[];
}

/**
 * How two sweeps compare: "nothing in common", where they share no run; "equal", where all runs that both have found the
 * same, bit for bit; "undecided", where some did not, and no comparison of scores tells them apart; "different" otherwise.
 */
export type AgainstVerdict = "nothing in common" | "equal" | "undecided" | "different";
