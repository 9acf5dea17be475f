/** @file Methods by tasks: every score of a report in one table, with what may be told apart from what. */
import { cutAtEnds, type Interval, mean, studentInterval } from "../statistics/statistics.ts";
import { isJudged, isShown } from "../statistics/verdicts.ts";
import { contestsOf, countedScores, leadingBaselines, type Pair, standInOf } from "../study/pairs.ts";
import type { Cell, MethodLabel, Study, TaskLabel } from "../study/study.ts";
import { formatDifference, formatN, formatNumber, formatRank } from "./format.ts";
import type { Table } from "./table.ts";
import { verdictsOf } from "./tables/any_two.ts";
import { BEFORE, COMMONEST } from "./tables/scores.ts";

/** One score. */
export interface Score {
  readonly value: number;
  /** Over seeds, on the same test examples; null of one seed. */
  readonly interval: Interval | null;
  /** True where it is the highest on the task at its rank, or not shown to be lower than that. */
  readonly isBest: boolean;
  /** The difference to full fine-tuning; null where that was not run. */
  readonly gap: number | null;
  /** Whether that difference was shown. */
  readonly isGapShown: boolean;
  readonly diverged: number;
}

/** A method at a rank on all tasks, or what a model scores without it. */
export interface ScoreRow {
  readonly method: string;
  readonly rank: number | null;
  /** True of what stands first, whatever the order: baselines, and what needs no training. */
  readonly isPinned: boolean;
  /** Of each task; null where it was not run. */
  readonly scores: readonly (Score | null)[];
  /** Over the tasks; null where one is missing, or there is one only. */
  readonly mean: number | null;
}

/** The whole table. */
export interface Scoreboard {
  readonly tasks: readonly TaskLabel[];
  readonly rows: readonly ScoreRow[];
  /** How many seeds and examples are behind its scores: "n = 2 seeds, 200 examples". */
  readonly n: string;
  /** What the colours are the difference to; null where it was not run. */
  readonly full: string | null;
  /** Whether enough seeds were run to tell anything apart. */
  readonly isJudged: boolean;
}

/**
 * The scoreboard of a study; null where no run has a score.
 *
 * @param pairs all of the report: no pair has a second verdict
 */
export function scoreboardOf(study: Study, pairs: readonly Pair[]): Scoreboard | null {
  const tasks = study.tasks.filter((task) =>
    study.cells.some((cell) => cell.task === task && cell.runs.length > 0)
  ).toSorted((a, b) => placeOf(a) - placeOf(b));
  if (tasks.length === 0) return null;
  const full = study.methods.find(({ optimizer }) => optimizer === "full");
  const baselines = leadingBaselines(study);
  const best = bestOf(study, pairs);
  const rows = study.methods.flatMap((method) =>
    [null, ...study.ranks].flatMap((rank): ScoreRow[] => {
      const cells = tasks.map((task) =>
        study.cells.find((cell) => cell.task === task && cell.method === method && cell.rank === rank)
      );
      if (cells.every((cell) => cell === undefined)) return [];
      const scores = cells.map((cell) => cell ? scoreOf(study, cell, pairs, full, best) : null);
      return [{
        method: method.label,
        rank,
        isPinned: baselines.includes(method),
        scores,
        mean: meanOf(scores),
      }];
    })
  );
  const height = ({ mean, scores }: ScoreRow) =>
    mean ?? meanOf(scores.filter((one) => one !== null), 1) ?? -1;
  return {
    tasks,
    rows: [
      ...untrained(study, tasks),
      ...rows.toSorted((a, b) => Number(b.isPinned) - Number(a.isPinned) || height(b) - height(a)),
    ],
    n: formatN(study.cells),
    full: full?.label ?? null,
    isJudged: pairs.some(({ comparison }) => isJudged(comparison)),
  };
}

/** The scoreboard for those who read text. */
export function scoreboardTable({ tasks, rows, n, full, isJudged }: Scoreboard): Table {
  return {
    title: "Scoreboard",
    note: `Means over seeds, with their 95% intervals over seeds on the same test examples; ${n}. ` +
      (isJudged ? "Bold: the best of its rank, and what was not shown to be lower. " : "") +
      (full ? `Behind a score stands its difference to ${full}.` : ""),
    columns: [
      "Method",
      "Rank",
      ...tasks.length > 1 ? ["Mean"] : [],
      ...tasks.map(({ id, title }) => `${title} (${id})`),
    ],
    rows: rows.map(({ method, rank, scores, mean }) => [
      method,
      formatRank(rank),
      ...tasks.length > 1 ? [mean === null ? "—" : formatNumber(mean)] : [],
      ...scores.map((score) => score === null ? "—" : textOf(score)),
    ]),
  };
}

function textOf({ value, interval, isBest, gap, diverged }: Score): string {
  return [
    isBest ? `**${formatNumber(value)}**` : formatNumber(value),
    ...interval ? [`(${formatNumber(interval.low)} to ${formatNumber(interval.high)})`] : [],
    ...gap === null ? [] : [formatDifference(gap)],
    ...diverged > 0 ? [`(${diverged} diverged)`] : [],
  ].join(" ");
}

const KINDS = ["understanding", "dialogue", "math", "code", "vision"];

function placeOf({ family }: TaskLabel): number {
  return family === null ? KINDS.length : KINDS.indexOf(family);
}

/** What needs no training: the base checkpoint, and always answering the commonest class. */
function untrained(study: Study, tasks: readonly TaskLabel[]): ScoreRow[] {
  const rowOf = (method: string, read: (task: TaskLabel) => number | undefined): ScoreRow[] => {
    const scores = tasks.map((task): Score | null => {
      const value = read(task);
      return value === undefined
        ? null
        : { value, interval: null, isBest: false, gap: null, isGapShown: false, diverged: 0 };
    });
    return scores.every((score) => score === null)
      ? []
      : [{ method, rank: null, isPinned: true, scores, mean: meanOf(scores) }];
  };
  const before = (task: TaskLabel) => study.before.find((one) => one.task === task)?.result;
  return [
    ...rowOf(BEFORE, (task) => before(task)?.score),
    ...rowOf(COMMONEST, (task) => before(task)?.commonest),
  ];
}

function scoreOf(
  study: Study,
  cell: Cell,
  pairs: readonly Pair[],
  full: MethodLabel | undefined,
  best: ReadonlySet<Cell>,
): Score | null {
  const seeds = countedScores(study, cell).map(mean), diverged = cell.diverged.length;
  if (seeds.length === 0 && diverged === 0) return null;
  const pair = pairs.find(({ ours, theirs }) => ours === cell && theirs.method === full);
  return {
    value: seeds.length > 0 ? mean(seeds) : standInOf(study, cell.task),
    interval: seeds.length > 0 ? cutAtEnds(studentInterval(seeds)) : null,
    isBest: best.has(cell),
    gap: pair?.comparison.mean ?? null,
    isGapShown: pair !== undefined && isShown(pair.comparison.verdict),
    diverged,
  };
}

/** Of each contest that was judged: the highest, and what was not shown to be lower. */
function bestOf(study: Study, pairs: readonly Pair[]): ReadonlySet<Cell> {
  return new Set(
    contestsOf(study).flatMap(({ cells }) => {
      const [first, ...others] = cells.toSorted((a, b) =>
        mean(countedScores(study, b).map(mean)) - mean(countedScores(study, a).map(mean))
      );
      const verdicts = verdictsOf(first!, others, pairs);
      if (verdicts.length === 0) return [];
      return [first!, ...verdicts.filter(({ verdict }) => verdict !== "better").map(({ other }) => other)];
    }),
  );
}

function meanOf(scores: readonly (Score | null)[], fewest = 2): number | null {
  const known = scores.flatMap((score) => score === null ? [] : [score.value]);
  return known.length === scores.length && known.length >= fewest ? mean(known) : null;
}
