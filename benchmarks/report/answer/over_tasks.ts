/** @file What a sweep over several tasks found over all of them, in sentences: they lead its answer. */
import type { Verdict } from "../../statistics/verdicts.ts";
import { type OverTasks, type PooledPair, pooledTasks } from "../../study/over_tasks.ts";
import { baselinesOf } from "../../study/pairs.ts";
import type { Study } from "../../study/study.ts";
import { formatCounts, formatDifference, formatInterval, formatRange, formatVerdict } from "../format.ts";

/** So many methods are told one by one with their intervals; of more their differences, and the table has the rest. */
const MANY = 6;
/** So many of one verdict are named; of more is told how many. */
const MOST = 14;

const UNDECIDED: Verdict = "undecided", IDENTICAL: Verdict = "identical";

/** A paragraph for each baseline, and one about what the verdicts mean; none where there are too few tasks. */
export function overTasksAnswer(study: Study, { pairs }: OverTasks): string[] {
  const met = baselinesOf(study).map((baseline) => pairs.filter(({ theirs }) => theirs === baseline))
    .filter((own) => own.length > 0);
  if (met.length === 0) return [];
  return [
    ...met.map((own) => against(study, own)),
    "Over all tasks a task is one observation, whose mean over seeds counts once: verdicts are about the mean over tasks like " +
    "these, corrected for all methods that are held against the same one (Holm), and “same” is within " +
    `${study.margin}. What each task says by itself follows.`,
  ];
}

function against(study: Study, pairs: readonly PooledPair[]): string {
  const tasks = pooledTasks(study, pairs).length, [first] = pairs;
  const seeds = formatCounts(
    pairs.flatMap((pair) => pair.pairs.map(({ comparison }) => comparison.seeds)),
    "seed",
  );
  const byVerdict = Map.groupBy(
    pairs.toSorted((a, b) => b.comparison.mean - a.comparison.mean),
    ({ comparison }) => formatVerdict(comparison),
  );
  const last = (verdict: string) => Number(verdict === UNDECIDED);
  const told = [...byVerdict].toSorted(([a], [b]) => last(a) - last(b)).map(([verdict, own]) => {
    const range = formatRange(own.map(({ comparison }) => comparison.mean), formatDifference);
    if (verdict !== UNDECIDED && own.length > MOST) return `${verdict}: ${own.length} (${range})`;
    if (verdict === UNDECIDED && own.length > 1 && pairs.length > MANY) {
      return `${own.length === pairs.length ? "all" : "the other"} ${own.length} undecided (${range})`;
    }
    const numbers = verdict === IDENTICAL ? () => "" : own.length > MANY ? differenceOf : numbersOf;
    return `${verdict}: ${own.map((pair) => `${nameOf(pair, pairs)}${numbers(pair)}`).join(", ")}`;
  });
  return `Over ${tasks} tasks, against ${first!.theirs.label} (n = ${tasks} tasks, ${seeds} each): ${
    told.join("; ")
  }.`;
}

/** " −0.077". */
function differenceOf({ comparison: { mean } }: PooledPair): string {
  return ` ${formatDifference(mean)}`;
}

/** " −0.077 (95%: −0.122 to −0.033, wins on 0 of 10 tasks)". */
function numbersOf(pair: PooledPair): string {
  const { interval, wins, tasks } = pair.comparison;
  return `${differenceOf(pair)} (95%: ${
    formatInterval(interval, formatDifference)
  }, wins on ${wins} of ${tasks} tasks)`;
}

/** With the rank where methods have several. */
function nameOf({ ours, rank }: PooledPair, pairs: readonly PooledPair[]): string {
  const isOne = new Set(pairs.map((pair) => pair.rank)).size === 1;
  return isOne || rank === null ? ours.label : `${ours.label} at rank ${rank}`;
}
