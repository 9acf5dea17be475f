/** @file What a sweep over several tasks says of each method, over all of them. */
import { FEWEST_SEEDS } from "../../statistics/comparison.ts";
import type { Drawn, OverTasks, PooledPair } from "../../study/over_tasks.ts";
import { baselinesOf } from "../../study/pairs.ts";
import type { Study } from "../../study/study.ts";
import {
  formatDifference,
  formatInterval,
  formatNumber,
  formatProbability,
  formatRank,
  formatVerdict,
  formatWhole,
} from "../format.ts";
import type { Table } from "../table.ts";

/** Each method against the baselines, a task being one observation; without rows where there are too few tasks. */
export function pooledTable(study: Study, { pairs }: OverTasks): Table {
  const { margin } = study, baselines = baselinesOf(study);
  const placeOf = ({ theirs }: PooledPair) => baselines.indexOf(theirs);
  const sorted = pairs.toSorted((a, b) => placeOf(a) - placeOf(b) || b.comparison.mean - a.comparison.mean);
  return {
    title: "Over all tasks",
    note:
      "Mean over tasks of the differences in “Comparisons”, each task with the same weight. A task is one observation: the " +
      "95% interval is Student's t over tasks, for tasks like these with seeds and examples of their own. Wins are the tasks " +
      "on which the method scores higher than the other. The verdict is by p after Holm's correction for all comparisons with " +
      "the same other method, at 5%; “same” means that the true mean difference was shown to be less than " +
      `${margin} either way, by two one-sided tests at 5% after Holm's correction (“p, same”). The probability of improvement ` +
      "is that of one run scoring higher than one of the other's on the same task, mean over tasks, with rliable's stratified " +
      "bootstrap interval (95%, runs drawn again within their tasks, so for new seeds on these tasks; none where a task has " +
      `fewer than ${FEWEST_SEEDS} seeds). Runs that diverged count as in “Comparisons”.`,
    columns: [
      "Rank",
      "Method",
      "against",
      "Difference",
      "95% interval",
      "Wins",
      "Verdict",
      "p",
      "p, Holm",
      "p, same",
      "Improvement",
      "Improvement, 95%",
      "Tasks",
      "Seeds",
    ],
    lead: ["Method", "Rank", "against", "Difference", "Verdict", "95% interval", "Wins", "Improvement"],
    bars: { rows: sorted.map(({ comparison }) => comparison), margin },
    rows: sorted.map((
      { ours, rank, theirs, pairs, comparison, improvement },
    ) => [
      formatRank(rank),
      ours.label,
      theirs.label,
      formatDifference(comparison.mean),
      formatInterval(comparison.interval, formatDifference),
      `${comparison.wins} of ${comparison.tasks}`,
      formatVerdict(comparison),
      formatProbability(comparison.pValue),
      formatProbability(comparison.corrected),
      formatProbability(comparison.correctedWithin),
      ...formatDrawn(improvement),
      String(comparison.tasks),
      formatWhole(pairs.map(({ comparison }) => comparison.seeds)),
    ]),
  };
}

/** The interquartile mean of each method's runs; without rows where there are too few tasks. */
export function middlesTable({ middles }: OverTasks): Table {
  return {
    title: "Interquartile means",
    note:
      "The mean of the middle half of all runs on all tasks that every method has runs on: neither a task that one method " +
      "fails nor one that all solve has much weight. The interval is rliable's (95%, stratified bootstrap: runs drawn again " +
      `within their tasks), for new seeds on these tasks; none where a task has fewer than ${FEWEST_SEEDS} seeds. Runs that ` +
      "diverged count as in “Comparisons”. Whether methods differ is in “Over all tasks”.",
    columns: ["Rank", "Method", "Interquartile mean", "95% interval", "Tasks", "Seeds"],
    rows: middles.map(({ method, rank, found, cells }) => [
      formatRank(rank),
      method.label,
      ...formatDrawn(found),
      String(cells.length),
      formatWhole(cells.map(({ runs, diverged }) => runs.length + diverged.length)),
    ]),
  };
}

function formatDrawn({ value, interval }: Drawn): [string, string] {
  return [formatNumber(value), formatInterval(interval)];
}
