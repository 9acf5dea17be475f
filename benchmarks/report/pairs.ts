/** @file Which methods are compared with which, and what came out. */
import { compare, type Comparison } from "../statistics.ts";
import type { Cell, MethodLabel, Study } from "./report.ts";

/** The methods that all others are compared with. */
const baselines: readonly string[] = ["lora", "full"];

/**
 * Whom the cells of a study are held against: LoRA and full fine-tuning, and, where a method takes part in several
 * variants, its first one, which the others of that method are compared with.
 */
export function baselinesOf({ methods }: Study): MethodLabel[] {
  const first = methods.filter((method) =>
    methods.find(({ optimizer }) => optimizer === method.optimizer) === method
  );
  const general = baselines.flatMap((id) => first.find(({ optimizer }) => optimizer === id) ?? []);
  const varied = first.filter((method) =>
    !general.includes(method) &&
    methods.some((other) => other !== method && other.optimizer === method.optimizer)
  );
  return [...general, ...varied];
}

/** A method against a baseline of `baselinesOf` on the same task, at the same rank where both have one, on the seeds that both finished. */
export interface Pair {
  readonly ours: Cell;
  readonly theirs: Cell;
  readonly comparison: Comparison;
}

/** Every pair of a study, in the order of its cells. */
export function comparePairs(study: Study): Pair[] {
  const all = baselinesOf(study);
  return study.cells.flatMap((ours) =>
    all.flatMap((baseline): Pair[] => {
      const isGeneral = baselines.includes(baseline.optimizer);
      if (!isGeneral && baseline.optimizer !== ours.method.optimizer) return [];
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
