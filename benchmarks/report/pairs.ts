/** @file Which methods are compared with which, and what came out. */
import { compare, type Comparison, correct } from "../statistics.ts";
import type { Cell, MethodLabel, Study, TaskLabel } from "./report.ts";

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

/** Two methods on the same task, at the same rank where both have one, on the seeds that both finished. */
export interface Pair {
  readonly ours: Cell;
  readonly theirs: Cell;
  /** Corrected for the number of pairs of the same list. */
  readonly comparison: Comparison;
}

/** Every method against each baseline of `baselinesOf`, in the order of the study's cells: one family of comparisons. */
export function comparePairs(study: Study): Pair[] {
  const all = baselinesOf(study);
  return corrected(study.cells.flatMap((ours) =>
    all.flatMap((baseline): Pair[] => {
      const isGeneral = baselines.includes(baseline.optimizer);
      if (!isGeneral && baseline.optimizer !== ours.method.optimizer) return [];
      const theirs = study.cells.find((cell) =>
        cell.method === baseline && cell.task === ours.task && (cell.rank === null || cell.rank === ours.rank)
      );
      if (!theirs || theirs.method === ours.method) return [];
      return pairOf(ours, theirs);
    })
  ));
}

/** Cells that are ranked against each other: those on a task at a rank, and those without a rank. */
export interface Contest {
  readonly task: TaskLabel;
  /** Null where no method has ranks. */
  readonly rank: number | null;
  /** With finished runs. */
  readonly cells: readonly Cell[];
}

/** Where methods meet: each task and rank with two finished methods or more. */
export function contestsOf(study: Study): Contest[] {
  return study.tasks.flatMap((task) =>
    (study.ranks.length > 0 ? study.ranks : [null]).flatMap((rank): Contest[] => {
      const cells = study.cells.filter((cell) =>
        cell.task === task && (cell.rank === rank || cell.rank === null) && cell.runs.length > 0
      );
      return cells.length > 1 && (rank === null || cells.some((cell) => cell.rank === rank))
        ? [{ task, rank, cells }]
        : [];
    })
  );
}

/**
 * Any two methods of each contest, once each: one family of comparisons. Methods without a rank meet each other at every
 * rank with the same runs, which counts once.
 */
export function compareAll(study: Study): Pair[] {
  const met = new Map<Cell, Set<Cell>>();
  return corrected(
    contestsOf(study).flatMap(({ cells }) =>
      cells.flatMap((ours, i) =>
        cells.slice(i + 1).flatMap((theirs) => {
          const others = met.get(ours) ?? new Set();
          if (others.has(theirs)) return [];
          met.set(ours, others.add(theirs));
          return pairOf(ours, theirs);
        })
      )
    ),
  );
}

/** What scores of cells have in common: their scores by seed, of the seeds that all of them finished on as many examples. */
export function pairedScores(cells: readonly Pick<Cell, "runs">[]): readonly (readonly number[])[][] {
  const bySeed = cells.map(({ runs }) =>
    new Map(runs.map(({ config, outcome }) => [config.seed, outcome.scores]))
  );
  const seeds = [...bySeed[0]?.keys() ?? []].filter((seed) => {
    const scores = bySeed.map((own) => own.get(seed)?.length);
    return scores.every((length) => length !== undefined && length === scores[0]);
  });
  return bySeed.map((own) => seeds.map((seed) => own.get(seed)!));
}

function pairOf(ours: Cell, theirs: Cell): Pair[] {
  const [mine, other] = pairedScores([ours, theirs]);
  return mine!.length > 0 ? [{ ours, theirs, comparison: compare(mine!, other!) }] : [];
}

function corrected(pairs: readonly Pair[]): Pair[] {
  const comparisons = correct(pairs.map(({ comparison }) => comparison));
  return pairs.map((pair, i) => ({ ...pair, comparison: comparisons[i]! }));
}
