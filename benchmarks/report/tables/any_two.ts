/** @file Every method against every other: which it is better than, ties with and is worse than. */
import { mean, type Verdict } from "../../statistics.ts";
import { formatCounts, formatNumber, formatRank } from "../format.ts";
import { contestsOf, type Pair } from "../pairs.ts";
import type { Cell, Study, Table } from "../report.ts";

/** A row for each method of each contest of three or more; null where there is none. */
export function anyTwoTable(study: Study, pairs: readonly Pair[]): Table | null {
  const rows = contestsOf(study).filter(({ cells }) => cells.length > 2).flatMap(({ task, rank, cells }) => {
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
        formatCounts(own.map(({ seeds }) => seeds), "seed"),
        formatCounts(own.map(({ examples }) => examples), "example"),
      ];
    });
  });
  if (rows.length === 0) return null;
  return {
    title: "Any two methods",
    note:
      "Every method on a task at a rank, and those without a rank, against every other, the highest score first: paired on " +
      `the same examples and the seeds that both finished, by p after Holm's correction for all ${pairs.length} pairs of ` +
      "this report, at 5%. A tie means that no difference was shown. So many pairs ask for larger differences than the " +
      "fewer ones of “Comparisons”.",
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
  const opposite = { better: "worse", worse: "better", tie: "tie" } as const;
  return pairs.flatMap(({ ours, theirs, comparison: { verdict, seeds, examples } }) => {
    if (ours === cell && others.includes(theirs)) return [{ other: theirs, verdict, seeds, examples }];
    if (theirs === cell && others.includes(ours)) {
      return [{ other: ours, verdict: opposite[verdict], seeds, examples }];
    }
    return [];
  });
}
