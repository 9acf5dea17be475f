/** @file Reads an output folder for a report: everything that it holds, and what of it can't be used. */
import type { BaseResult, RunResult } from "../../training/run.ts";
import { UserError } from "../../errors/user_error.ts";
import { type Plan, readPlan } from "../sweep/plan.ts";
import { openBases, openStore } from "../sweep/store.ts";
import { readVerdict, type StoredVerdict } from "../study/verdict_file.ts";

/** What lies in an output folder. */
export interface OutputFolder {
  /** Null where it is missing or broken. */
  readonly plan: Plan | null;
  /** What the claim came to that its question tests; null where it tests none, or has no answer yet. */
  readonly verdict: StoredVerdict | null;
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
  const { found: plan, faults: planFaults } = await usable(readPlan(out));
  // Of a question that goes on, an earlier verdict says nothing.
  const { found: verdict, faults: verdictFaults } = await usable(
    plan?.settled ? readVerdict(out) : Promise.resolve(null),
  );
  const stored = await openStore(out).read(), bases = await openBases(out).read();
  const faults = [
    ...planFaults,
    ...verdictFaults,
    ...[...stored.faults, ...bases.faults].map((fault) => fault.sentence),
  ];
  if (!plan && stored.results.size === 0 && faults.length === 0) {
    throw new UserError(`Cannot ${purpose} "${out}": there are no results in ${out}/runs`);
  }
  return {
    plan,
    verdict,
    stored: [...stored.results.values()],
    bases: [...bases.results.values()],
    faults,
    setAside: [...stored.setAside, ...bases.setAside],
  };
}

/** What a file says; null, with the sentence about it, where it can't be used. */
async function usable<T>(read: Promise<T>): Promise<{ readonly found: T | null; readonly faults: string[] }> {
  try {
    return { found: await read, faults: [] };
  } catch (error) {
    if (error instanceof UserError) return { found: null, faults: [error.message] };
    throw error;
  }
}
