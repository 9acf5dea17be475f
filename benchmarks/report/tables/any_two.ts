/** @file Every method against every other: which it is better than, ties with and is worse than. */
import { FEWEST_SEEDS, mean, type Verdict } from "../../statistics/statistics.ts";
import { formatNumber, formatRank, formatWhole } from "../format.ts";
import { contestsOf, type Pair } from "../../study/pairs.ts";
import type { Cell, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/**
 * A row for each method of each contest of three or more of which a pair is decided; null where there is none.
 *
 * @param pairs all of the report, those with baselines among them: no pair has a second verdict
 */
export function anyTwoTable(study: Study, pairs: readonly Pair[]): Table | null {
  const rows = contestsOf(study).flatMap(({ task, rank, cells }) => {
    const isJudged = ({ ours, theirs, comparison }: Pair) =>
      comparison.verdict !== "undecided" && cells.includes(ours) && cells.includes(theirs);
    if (cells.length < 3 || !pairs.some(isJudged)) return [];
    const scoreOf = (cell: Cell) => mean(cell.runs.map(({ outcome }) => outcome.score));
    return cells.toSorted((a, b) => scoreOf(b) - scoreOf(a)).map((cell) => {
      const own = verdictsOf(cell, cells, pairs);
      const named = (wanted: Verdict) => {
        const labels = own.filter(({ verdict }) => verdict === wanted).map(({ other }) => other.method.label);
        return labels.length > 0 ? labels.join("; ") : "—";
      };
      return [
        task.title,
        formatRank(rank),
        cell.method.label,
        formatNumber(scoreOf(cell)),
        named("better"),
        named("tie"),
        named("worse"),
        formatWhole(own.map(({ seeds }) => seeds)),
        formatWhole(own.map(({ examples }) => examples)),
      ];
    });
  });
  if (rows.length === 0) return null;
  return {
    title: "Any two methods",
    note:
      "Every method on a task at a rank, and those without a rank, against every other, the highest score first: paired on " +
      "the same examples and the seeds of both, by p after Holm's correction, at 5%. Pairs of “Comparisons” have the verdict " +
      "that they have there; all other pairs on a task are corrected together. A tie means that no difference was shown; pairs " +
      `with fewer than ${FEWEST_SEEDS} seeds in common are undecided and left out.`,
    columns: [
      "Task",
      "Rank",
      "Method",
      "Score",
      "Better than",
      "Ties with",
      "Worse than",
      "Seeds",
      "Examples",
    ],
    rows,
  };
}

/** What came out for a cell against the others of a contest, as it sees it. */
export function verdictsOf(cell: Cell, others: readonly Cell[], pairs: readonly Pair[]) {
  const opposite = { better: "worse", worse: "better", tie: "tie", undecided: "undecided" } as const;
  return pairs.flatMap(({ ours, theirs, comparison: { verdict, seeds, examples } }) => {
    if (ours === cell && others.includes(theirs)) return [{ other: theirs, verdict, seeds, examples }];
    if (theirs === cell && others.includes(ours)) {
      return [{ other: ours, verdict: opposite[verdict], seeds, examples }];
    }
    return [];
  });
}
