/** @file Reads an output folder for a report: everything that it holds, and what of it can't be used. */
import type { BaseResult, RunResult } from "../../training/run.ts";
import { UserError } from "../../errors/user_error.ts";
import { type Plan, readPlan } from "../sweep/plan.ts";
import { openBases, openStore } from "../sweep/store.ts";

/** What lies in an output folder. */
export interface OutputFolder {
  /** Null where it is missing or broken. */
  readonly plan: Plan | null;
  /** Every result that can be used. */
  readonly stored: readonly RunResult[];
  /** Scores of base checkpoints. */
  readonly bases: readonly BaseResult[];
  /** Sentences about files that can't be used. */
  readonly faults: readonly string[];
  /** Names of files that were set aside. */
  readonly setAside: readonly string[];
}

/**
 * Reads the folder that a bench wrote to.
 *
 * @param purpose what the folder is for, for the error: "report on"
 * @throws {UserError} where there is nothing of a bench in it
 */
export async function readOutputFolder(out: string, purpose: string): Promise<OutputFolder> {
  const { plan, faults: planFaults } = await planOf(out);
  const stored = await openStore(out).read(), bases = await openBases(out).read();
  const faults = [...planFaults, ...[...stored.faults, ...bases.faults].map((fault) => fault.sentence)];
  if (!plan && stored.results.size === 0 && faults.length === 0) {
    throw new UserError(`Cannot ${purpose} "${out}": there are no results in ${out}/runs`);
  }
  return {
    plan,
    stored: [...stored.results.values()],
    bases: [...bases.results.values()],
    faults,
    setAside: [...stored.setAside, ...bases.setAside],
  };
}

async function planOf(out: string): Promise<{ readonly plan: Plan | null; readonly faults: string[] }> {
  try {
    return { plan: await readPlan(out), faults: [] };
  } catch (error) {
    if (error instanceof UserError) return { plan: null, faults: [error.message] };
    throw error;
  }
}
