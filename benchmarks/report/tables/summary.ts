/** @file The few rows that stand for a whole report: methods with their scores and verdicts, the best first. */
import { mean } from "../../statistics/statistics.ts";
import { formatDifference, formatNumber, formatRank } from "../format.ts";
import type { PooledPair } from "../../study/over_tasks.ts";
import { countedScores, type Pair } from "../../study/pairs.ts";
import type { Cell, MethodLabel, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** Rows at most. */
const MOST = 8;
/** So many tasks have a column each; of more, their mean has one. */
const FEW_TASKS = 2;

/** A method at a rank, on all tasks. */
interface Line {
  readonly method: MethodLabel;
  readonly rank: number | null;
  readonly cells: readonly Cell[];
  /** Mean over the tasks; null where a task has no finished run. */
  readonly score: number | null;
}

/**
 * At most eight rows: the baselines, and of the others those with the highest scores. Verdicts are those of the pairs: over
 * all tasks, or of few tasks counted.
 *
 * @param pairs every method against the baselines, as the comparisons have them
 * @param pooled the same over tasks
 */
export function summaryTable(
  study: Study,
  pairs: readonly Pair[],
  pooled: readonly PooledPair[],
): Table | null {
  const lines = linesOf(study).toSorted((a, b) => (b.score ?? -Infinity) - (a.score ?? -Infinity));
  if (lines.length === 0) return null;
  const references = ["lora", "full"].flatMap((id) =>
    study.methods.find(({ optimizer }) => optimizer === id) ?? []
  );
  const pinned = lines.filter(({ method }) => references.includes(method)).slice(0, MOST / 2);
  const others = lines.filter((line) => !pinned.includes(line)).slice(0, MOST - pinned.length);
  const shown = lines.filter((line) => pinned.includes(line) || others.includes(line));
  const hidden = lines.length - shown.length;
  const tasks = study.tasks.filter((task) => study.cells.some((cell) => cell.task === task));
  const areFew = tasks.length <= FEW_TASKS;
  const hasRanks = lines.some(({ rank }) => rank !== null);
  const against = references.filter((reference) => pairs.some(({ theirs }) => theirs.method === reference));
  return {
    title: "Summary",
    note: [
      ...against.length > 0 && (pooled.length > 0 || tasks.length === 1)
        ? [`Behind a verdict: on how many ${pooled.length > 0 ? "tasks" : "seeds"} the method scores higher.`]
        : [],
      ...hidden > 0 ? [`${hidden} more ${hidden === 1 ? "row is" : "rows are"} in the report.`] : [],
    ].join(" "),
    columns: [
      "Method",
      ...hasRanks ? ["Rank"] : [],
      ...areFew ? tasks.map(({ id }) => id) : [`Mean of ${tasks.length} tasks`],
      ...against.map(({ optimizer }) => `vs ${optimizer}`),
    ],
    rows: shown.map(({ method, rank, cells, score }) => [
      method.label,
      ...hasRanks ? [formatRank(rank)] : [],
      ...areFew
        ? tasks.map((task) => formatScore(scoreOf(study, cells.find((cell) => cell.task === task))))
        : [formatScore(score)],
      ...against.map((reference) =>
        tell(
          pairs.filter(({ ours, theirs }) => cells.includes(ours) && theirs.method === reference),
          pooled.find((one) => one.ours === method && one.rank === rank && one.theirs === reference),
        )
      ),
    ]),
  };
}

function linesOf(study: Study): Line[] {
  const tasks = new Set(study.cells.map(({ task }) => task));
  return study.methods.flatMap((method) =>
    [null, ...study.ranks].flatMap((rank): Line[] => {
      const cells = study.cells.filter((cell) => cell.method === method && cell.rank === rank);
      if (!cells.some(({ runs }) => runs.length > 0)) return [];
      const scores = cells.flatMap((cell) => scoreOf(study, cell) ?? []);
      return [{ method, rank, cells, score: scores.length === tasks.size ? mean(scores) : null }];
    })
  );
}

/** The same mean as in the table of scores. */
function scoreOf(study: Study, cell: Cell | undefined): number | null {
  return cell && cell.runs.length > 0 ? mean(countedScores(study, cell).map(mean)) : null;
}

function formatScore(score: number | null): string {
  return score === null ? "—" : formatNumber(score);
}

/** What came out: over all tasks or of one comparison with its difference and wins, of several how often. */
function tell(pairs: readonly Pair[], pooled: PooledPair | undefined): string {
  const [first, second] = pairs;
  if (!first) return "—";
  if (pooled) {
    const { verdict, mean, wins, tasks } = pooled.comparison;
    return `${formatDifference(mean)} ${verdict} ${wins}/${tasks}`;
  }
  const { verdict, mean, wins, seeds } = first.comparison;
  if (!second) return `${formatDifference(mean)} ${verdict} ${wins}/${seeds}`;
  const counts = Map.groupBy(pairs, ({ comparison }) => comparison.verdict);
  return Array.from(counts, ([verdict, { length }]) => `${length} ${verdict}`).join(", ");
}
