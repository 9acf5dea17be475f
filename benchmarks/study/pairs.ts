/** @file Which methods are compared with which, and what came out. */
import { compare, type Comparison } from "../statistics/comparison.ts";
import { correct, identical } from "../statistics/verdicts.ts";
import { differenceOf } from "./differences.ts";
import type { Cell, MethodLabel, Study, TaskLabel } from "./study.ts";

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

/** Whom a report's first picture holds all methods against: LoRA and full fine-tuning, else the first of a method's variants. */
export function leadingBaselines(study: Study): MethodLabel[] {
  const all = baselinesOf(study), general = all.filter(({ optimizer }) => baselines.includes(optimizer));
  return general.length > 0 ? general : all.slice(0, 1);
}

/** Two methods on the same task, at the same rank where both have one, on the seeds that both have a score of. */
export interface Pair {
  readonly ours: Cell;
  readonly theirs: Cell;
  /** Corrected within its family. */
  readonly comparison: Comparison;
  /** The same for all that are corrected together. */
  readonly family: string;
  /** How many of its seeds diverged, of ours and of theirs: they count by `standInOf`. */
  readonly diverged: readonly [ours: number, theirs: number];
}

/**
 * Every method against each baseline of `baselinesOf`, in the order of the study's cells. A family is what is held against
 * one baseline on one task: the question that a reader asks of a task, which neither a further task nor the other baseline
 * makes harder to answer.
 */
export function comparePairs(study: Study): Pair[] {
  return corrected(
    meetingBaselines(study).flatMap(({ ours, theirs }) =>
      pairOf(study, ours, theirs, JSON.stringify([ours.task.id, theirs.method.key]))
    ),
  );
}

/** Which cells are held against which, see `comparePairs`: at the same rank where both have one. */
export function meetingBaselines(study: Study): readonly Pick<Pair, "ours" | "theirs">[] {
  const all = baselinesOf(study);
  return study.cells.flatMap((ours) =>
    all.flatMap((baseline) => {
      const isGeneral = baselines.includes(baseline.optimizer);
      if (!isGeneral && baseline.optimizer !== ours.method.optimizer) return [];
      const theirs = study.cells.find((cell) =>
        cell.method === baseline && cell.task === ours.task && (cell.rank === null || cell.rank === ours.rank)
      );
      return theirs && theirs.method !== ours.method ? [{ ours, theirs }] : [];
    })
  );
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
 * Any two methods of each contest that are not among those judged already, once each: what is neither with a baseline is a
 * family a task. Methods without a rank meet each other at every rank with the same runs, which counts once.
 */
export function compareOthers(study: Study, judged: readonly Pair[]): Pair[] {
  const met = new Map<Cell, Set<Cell>>();
  const meet = (ours: Cell, theirs: Cell) => {
    const others = met.get(ours) ?? new Set(), isNew = !others.has(theirs);
    for (const [one, other] of [[ours, theirs], [theirs, ours]] as const) {
      met.set(one, (met.get(one) ?? new Set<Cell>()).add(other));
    }
    return isNew;
  };
  for (const { ours, theirs } of judged) meet(ours, theirs);
  const pairs = contestsOf(study).flatMap(({ task, cells }) =>
    cells.flatMap((ours, i) =>
      cells.slice(i + 1).flatMap((theirs) =>
        meet(ours, theirs) ? pairOf(study, ours, theirs, JSON.stringify([task.id])) : []
      )
    )
  );
  return corrected(pairs);
}

/**
 * What a run that diverged counts as in a comparison: what chance scores, since it learned nothing that is left. Where
 * nobody knows that, the base checkpoint's score before fine-tuning, and without one 0, which no score is below.
 */
export function standInOf({ before }: Study, task: TaskLabel): number {
  return task.chance ?? before.find((one) => one.task === task)?.result.score ?? 0;
}

/** The scores of several cells with one seed, on the same examples. */
export interface SeedScores {
  readonly seed: number;
  /** By cell and example. */
  readonly scores: readonly (readonly number[])[];
}

/**
 * What scores of cells have in common: their scores by seed, of the seeds that all of them finished on as many examples or
 * diverged with. Where no run is finished there are none.
 */
export function pairedBySeed(study: Study, cells: readonly Cell[]): SeedScores[] {
  const finished = cells.map(({ runs }) =>
    new Map(runs.map(({ config, outcome }) => [config.seed, outcome.scores]))
  );
  const usual = cells.flatMap(({ runs }) => runs[0]?.outcome.scores.length ?? [])[0];
  const [first] = cells;
  if (!first || usual === undefined) return [];
  const seeds = [...finished[0]!.keys(), ...first.diverged].sort((a, b) => a - b);
  return seeds.flatMap((seed) => {
    if (!cells.every((cell, i) => finished[i]!.has(seed) || cell.diverged.includes(seed))) return [];
    const lengths = new Set(finished.flatMap((own) => own.get(seed)?.length ?? []));
    if (lengths.size > 1) return [];
    const lost = new Array<number>([...lengths][0] ?? usual).fill(standInOf(study, first.task));
    return [{ seed, scores: finished.map((own) => own.get(seed) ?? lost) }];
  });
}

/** The same by cell, seed and example. */
export function pairedScores(study: Study, cells: readonly Cell[]): readonly (readonly number[])[][] {
  const bySeed = pairedBySeed(study, cells);
  return cells.map((_, i) => bySeed.map(({ scores }) => scores[i]!));
}

/**
 * The scores of a cell, `[seed][example]`, as they count: runs that diverged have what `standInOf` says on each example.
 * None where no run is finished.
 */
export function countedScores(study: Study, cell: Cell): readonly (readonly number[])[] {
  return pairedScores(study, [cell])[0]!;
}

function pairOf(study: Study, ours: Cell, theirs: Cell, family: string): Pair[] {
  const [mine, other] = pairedScores(study, [ours, theirs]);
  if (mine!.length === 0) return [];
  const lost = ({ diverged }: Cell, rival: Cell) =>
    diverged.filter((seed) =>
      rival.diverged.includes(seed) || rival.runs.some(({ config }) => config.seed === seed)
    ).length;
  const diverged = [lost(ours, theirs), lost(theirs, ours)] as const, { margin } = study;
  const found = compare(mine!, other!, { margin });
  const comparison = areIdentical(ours, theirs) ? { ...found, ...identical(margin) } : found;
  return [{ ours, theirs, comparison, family, diverged }];
}

/** True where both found the same with every seed of theirs, bit for bit: losses, scores, measurements, divergence. */
function areIdentical(ours: Cell, theirs: Cell): boolean {
  if (ours.runs.length === 0 || ours.runs.length !== theirs.runs.length) return false;
  return ours.diverged.join() === theirs.diverged.join() &&
    ours.runs.every((run, i) => {
      const other = theirs.runs[i]!;
      return run.config.seed === other.config.seed && run.outcome.score === other.outcome.score &&
        differenceOf(run, other).what.length === 0;
    });
}

/** The same pairs in their order, judged within their families. */
function corrected(pairs: readonly Pair[]): Pair[] {
  const found = new Map<Pair, Pair>();
  for (const family of Map.groupBy(pairs, ({ family }) => family).values()) {
    const comparisons = correct(family.map(({ comparison }) => comparison));
    for (const [i, pair] of family.entries()) found.set(pair, { ...pair, comparison: comparisons[i]! });
  }
  return pairs.map((pair) => found.get(pair)!);
}
