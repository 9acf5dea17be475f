/** @file Pairs of runs of two sweeps with how they differ, and over seeds with what their scores say. */
import { canonicalJson } from "../../../files/canonical_json.ts";
import type { RunConfig, RunResult } from "../../../training/run.ts";
import type { compare, Comparison } from "../../statistics/comparison.ts";
import { correct, isShown } from "../../statistics/verdicts.ts";
import type { DoneRun } from "../../study/study.ts";
import type { RunDifference } from "../../study/differences.ts";
import type { RunPair } from "./pairing.ts";

/** A pair that has outcomes on both sides, and how these differ. */
export interface ComparedPair extends RunPair {
  readonly difference: RunDifference;
}

/** Pairs over seeds of one config, or of one config and its counterpart. */
export interface Cell {
  readonly pairs: readonly ComparedPair[];
  /**
   * Corrected for all cells together; null where no pair has two scores on the same examples.
   */
  readonly comparison: Comparison | null;
  /** True where every pair has equal scores. */
  readonly equal: boolean;
}

/**
 * Pairs by their configs without the seed.
 *
 * @param compareBy what to ask of scores: of the same runs made twice about the seeds that were run, which both sweeps have,
 *   and other seeds would only hide what changed; of other configs about new seeds, too
 */
export function cellsOf(pairs: readonly ComparedPair[], compareBy: typeof compare): Cell[] {
  const groups = Map.groupBy(pairs, ({ here, there }) => {
    const config = ({ config: { seed: _, ...rest } }: RunResult) => rest;
    return canonicalJson([config(here), config(there)]);
  });
  const cells = Array.from(groups.values(), (own): Cell => {
    const scores = donePairs(own).filter(([ours, theirs]) => sameExamples(ours, theirs))
      .map(([ours, theirs]) => [ours.outcome.scores, theirs.outcome.scores] as const);
    return {
      pairs: own,
      comparison: scores.length === 0
        ? null
        : compareBy(scores.map(([ours]) => ours), scores.map(([, theirs]) => theirs)),
      equal: scores.every(([ours, theirs]) => canonicalJson(ours) === canonicalJson(theirs)),
    };
  });
  const corrected = correct(cells.flatMap(({ comparison }) => comparison ?? [])).values();
  return cells.map((cell) => ({
    ...cell,
    comparison: cell.comparison === null ? null : corrected.next().value ?? null,
  }));
}

/** True where scores were shown to differ. */
export function tellsApart({ comparison }: Cell): boolean {
  return comparison !== null && isShown(comparison.verdict);
}

/** The pairs that finished on both sides: here, there. */
export function donePairs(pairs: readonly RunPair[]): (readonly [DoneRun, DoneRun])[] {
  return pairs.flatMap(({ here, there }) =>
    here.status === "done" && there.status === "done" ? [[here, there] as const] : []
  );
}

/** Examples are a function of the task's settings and the seed, which a pair shares. */
function sameExamples(here: DoneRun, there: DoneRun): boolean {
  const examples = ({ task: { data: _, ...task }, scoreOn }: RunConfig) => canonicalJson([task, scoreOn]);
  return examples(here.config) === examples(there.config) &&
    here.outcome.scores.length === there.outcome.scores.length &&
    here.outcome.data?.fingerprint === there.outcome.data?.fingerprint;
}
