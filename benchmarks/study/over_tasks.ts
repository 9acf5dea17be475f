/** @file What a sweep over several tasks says of each method, over all of them. */
import { createRandom, type Random } from "../../numerics/random.ts";
import {
  bootstrapStrata,
  drawStrata,
  improvement,
  interquartileMean,
  type StratifiedDraw,
} from "../statistics/bootstrap.ts";
import { FEWEST_SEEDS } from "../statistics/comparison.ts";
import { comparePooled, differenceOn, FEWEST_TASKS, type PooledComparison } from "../statistics/pooled.ts";
import { type Interval, mean } from "../statistics/statistics.ts";
import { correct, identical } from "../statistics/verdicts.ts";
import { meetingBaselines, type Pair, pairedBySeed, pairedScores, standInOf } from "./pairs.ts";
import type { Cell, MethodLabel, Study, TaskLabel } from "./study.ts";

/** A number with its interval for new runs on the same tasks and examples. */
export interface Drawn {
  readonly value: number;
  /** Null where a task has fewer runs than `FEWEST_SEEDS`: drawing again from so few looks too sure. */
  readonly interval: Interval | null;
}

/** A method against a baseline over tasks. */
export interface PooledPair {
  readonly ours: MethodLabel;
  /** Null for methods without ranks. */
  readonly rank: number | null;
  readonly theirs: MethodLabel;
  /** On each task; at least `FEWEST_TASKS`. */
  readonly pairs: readonly Pair[];
  /** Corrected with all others that are held against the same baseline. */
  readonly comparison: PooledComparison;
  /** How likely one run of ours scores higher than one of theirs, mean over tasks. */
  readonly improvement: Drawn;
}

/** How likely a method's run scores higher than one of a baseline's, over tasks. */
export interface Improvement {
  readonly ours: MethodLabel;
  /** Null for methods without ranks. */
  readonly rank: number | null;
  readonly theirs: MethodLabel;
  /** On each task; at least `FEWEST_TASKS`. */
  readonly meetings: readonly Pick<Pair, "ours" | "theirs">[];
  readonly found: Drawn;
}

/** What a method scores over all tasks. */
export interface Middle {
  readonly method: MethodLabel;
  readonly rank: number | null;
  /** Interquartile mean of all runs on all of the tasks. */
  readonly found: Drawn;
  readonly cells: readonly Cell[];
}

/** What a study says over its tasks; empty where it has fewer than `FEWEST_TASKS`. */
export interface OverTasks {
  readonly pairs: readonly PooledPair[];
  /** By rank (none first) and method, on the tasks that all of them have runs on. */
  readonly middles: readonly Middle[];
}

/** @param pairs every method against the baselines, a task each */
export function overTasks(study: Study, pairs: readonly Pair[]): OverTasks {
  const drawsOf = drawer();
  return { pairs: pool(study, pairs, drawsOf), middles: middlesOf(study, drawsOf) };
}

/** Every method against the baselines, on the tasks where both have scores with the same seeds. */
export function improvementsOf(study: Study, drawsOf: DrawsOf = drawer()): Improvement[] {
  const meetings = meetingBaselines(study).filter(({ ours, theirs }) =>
    pairedBySeed(study, [ours, theirs]).length > 0
  );
  return overEnoughTasks(meetings).map((own) => {
    const { ours, theirs } = own[0]!;
    return {
      ours: ours.method,
      rank: ours.rank,
      theirs: theirs.method,
      meetings: own,
      found: improvementOf(study, own, drawsOf),
    };
  });
}

/** By method, rank and baseline, as far as these meet on enough tasks. */
function overEnoughTasks<T extends Pick<Pair, "ours" | "theirs">>(meetings: readonly T[]): T[][] {
  const groups = Map.groupBy(
    meetings,
    ({ ours, theirs }) => JSON.stringify([ours.rank, ours.method.key, theirs.method.key]),
  );
  return [...groups.values()].filter((own) => own.length >= FEWEST_TASKS);
}

function pool(study: Study, pairs: readonly Pair[], drawsOf: DrawsOf): PooledPair[] {
  const pooled = overEnoughTasks(pairs).map((own): PooledPair => {
    const { ours, theirs } = own[0]!;
    return {
      ours: ours.method,
      rank: ours.rank,
      theirs: theirs.method,
      pairs: own,
      comparison: comparisonOf(study, own),
      improvement: improvementOf(study, own, drawsOf),
    };
  });
  const families = Map.groupBy(pooled, ({ theirs }) => theirs);
  const found = new Map<PooledPair, PooledComparison>();
  for (const family of families.values()) {
    const comparisons = correct(family.map(({ comparison }) => comparison));
    for (const [i, pair] of family.entries()) found.set(pair, comparisons[i]!);
  }
  return pooled.map((pair) => ({ ...pair, comparison: found.get(pair)! }));
}

function comparisonOf(study: Study, pairs: readonly Pair[]): PooledComparison {
  const { margin } = study;
  const pooled = comparePooled(
    pairs.map(({ ours, theirs }) => {
      const [mine, other] = pairedScores(study, [ours, theirs]);
      return differenceOn(mine!, other!);
    }),
    { margin },
  );
  const isOne = pairs.every(({ comparison }) => comparison.verdict === "identical");
  return isOne ? { ...pooled, ...identical(margin) } : pooled;
}

function improvementOf(study: Study, pairs: Improvement["meetings"], drawsOf: DrawsOf): Drawn {
  const ours = pairs.map((pair) => scoresOf(study, pair.ours));
  const theirs = pairs.map((pair) => scoresOf(study, pair.theirs));
  const tables = ours.map((own, task) =>
    own.map((one) => theirs[task]!.map((two) => improvement([one], [two])))
  );
  const tasks = tables.length;
  return drawn(
    mean(ours.map((own, task) => improvement(own, theirs[task]!))),
    [...ours, ...theirs],
    drawsOf,
    (draw) => {
      let sum = 0;
      for (const [task, table] of tables.entries()) {
        const rows = draw[task]!, columns = draw[tasks + task]!;
        let own = 0;
        for (const row of rows) for (const column of columns) own += table[row]![column]!;
        sum += own / (rows.length * columns.length);
      }
      return sum / tasks;
    },
  );
}

function middlesOf(study: Study, drawsOf: DrawsOf): Middle[] {
  const hasRuns = ({ runs, diverged }: Cell) => runs.length + diverged.length > 0;
  const lines = [null, ...study.ranks].flatMap((rank) =>
    study.methods.flatMap((method) => {
      const cells = study.cells.filter((cell) =>
        cell.method === method && cell.rank === rank && hasRuns(cell)
      );
      return cells.length > 0 ? [{ method, rank, cells }] : [];
    })
  );
  const tasks = study.tasks.filter((task) =>
    lines.every(({ cells }) => cells.some((cell) => cell.task === task))
  );
  if (tasks.length < FEWEST_TASKS || lines.length < 2) return [];
  return lines.map(({ method, rank, cells }) => {
    const own = cells.filter(({ task }) => tasks.includes(task));
    const scores = own.map((cell) => scoresOf(study, cell));
    const found = drawn(
      interquartileMean(scores.flat()),
      scores,
      drawsOf,
      (draw) => interquartileMean(scores.flatMap((one, task) => Array.from(draw[task]!, (i) => one[i]!))),
    );
    return { method, rank, found, cells: own };
  });
}

/** A value with the interval that draws of its runs give. */
function drawn(
  value: number,
  strata: readonly (readonly number[])[],
  drawsOf: DrawsOf,
  valueOf: (draw: StratifiedDraw) => number,
): Drawn {
  const sizes = strata.map(({ length }) => length);
  if (Math.min(...sizes) < FEWEST_SEEDS) return { value, interval: null };
  return { value, interval: bootstrapStrata(drawsOf(sizes), valueOf) };
}

/** The share of a baseline's runs that each run of ours scores higher than, equal scores being half; diverged runs last. */
export function winsOf(study: Study, { ours, theirs }: Pick<Pair, "ours" | "theirs">): number[] {
  const others = scoresOf(study, theirs);
  return scoresOf(study, ours).map((one) => improvement([one], others));
}

/** The score of each run of a cell; one that diverged has what `standInOf` says. */
function scoresOf(study: Study, { task, runs, diverged }: Cell): number[] {
  const lost: number = standInOf(study, task);
  return [...runs.map(({ outcome }) => outcome.score), ...diverged.map(() => lost)];
}

/** Draws for strata of such sizes. */
type DrawsOf = (sizes: readonly number[]) => readonly StratifiedDraw[];

/** Strata of the same sizes are drawn once: the same draws serve all methods. */
function drawer(random: Random = createRandom(0).fork("stratified")): DrawsOf {
  const known = new Map<string, readonly StratifiedDraw[]>();
  return (sizes) => {
    const key = sizes.join(), draws = known.get(key) ?? drawStrata(sizes, random);
    known.set(key, draws);
    return draws;
  };
}

/** The tasks of pooled pairs, in the study's order. */
export function pooledTasks(study: Study, pairs: readonly PooledPair[]): TaskLabel[] {
  return study.tasks.filter((task) =>
    pairs.some((pair) => pair.pairs.some(({ ours }) => ours.task === task))
  );
}
