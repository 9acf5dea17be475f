/** @file Which methods are compared with which, and what came out. */
import { compare, type Comparison } from "../statistics.ts";
import type { Cell, Study } from "./report.ts";

/** The methods that all others are compared with. */
export const baselines = ["lora", "full"] as const;

/** A method against a baseline on the same task, at the same rank where both have one, on the seeds that both finished. */
export interface Pair {
  readonly ours: Cell;
  readonly theirs: Cell;
  readonly comparison: Comparison;
}

/** Every pair of a study, in the order of its cells. */
export function comparePairs(study: Study): Pair[] {
  return study.cells.flatMap((ours) =>
    baselines.flatMap((id): Pair[] => {
      const baseline = study.methods.find((method) => method.optimizer === id);
      const theirs = study.cells.find((cell) =>
        cell.method === baseline && cell.task === ours.task && (cell.rank === null || cell.rank === ours.rank)
      );
      if (!theirs || theirs.method === ours.method) return [];
      const pairs = ours.runs.flatMap((run) => {
        const other = theirs.runs.find(({ config }) => config.seed === run.config.seed);
        const paired = other?.outcome.scores.length === run.outcome.scores.length;
        return other && paired ? [[run.outcome.scores, other.outcome.scores] as const] : [];
      });
      if (pairs.length === 0) return [];
      return [{
        ours,
        theirs,
        comparison: compare(pairs.map(([mine]) => mine), pairs.map(([, other]) => other)),
      }];
    })
  );
}
