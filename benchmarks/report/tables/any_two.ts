/** @file Every method against every other: which it is better than, ties with and is worse than. */
import { mean, type Verdict } from "../../statistics.ts";
import { formatNumber, formatRank, formatWhole } from "../format.ts";
import { contestsOf, type Pair } from "../pairs.ts";
import type { Cell, Study, Table } from "../report.ts";

/** A row for each method of each contest of three or more; null where there is none. */
export function anyTwoTable(study: Study, pairs: readonly Pair[]): Table | null {
  const rows = contestsOf(study).filter(({ cells }) => cells.length > 2).flatMap(({ task, rank, cells }) => {
    const scoreOf = (cell: Cell) => mean(cell.runs.map(({ outcome }) => outcome.score));
    return cells.toSorted((a, b) => scoreOf(b) - scoreOf(a)).map((cell) => {
      const own = verdictsOf(cell, cells, pairs);
      const named = (wanted: Verdict) => {
        const labels = own.flatMap(({ other, verdict, onTheseSeeds }) => {
          if (verdict === wanted && (wanted !== "tie" || onTheseSeeds === "tie")) return [other.method.label];
          return verdict === "tie" && onTheseSeeds === wanted ? [`${other.method.label} (these seeds)`] : [];
        });
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
      `the same examples and the seeds that both finished, by p after Holm's correction for all ${pairs.length} pairs of ` +
      "this report, at 5%. “these seeds” marks differences that were shown for new examples and the seeds that were run, " +
      "but not for other seeds. A tie means that neither was shown. So many pairs ask for larger differences than the " +
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
  return pairs.flatMap(({ ours, theirs, comparison }) => {
    const { verdict, seeds, examples } = comparison, onTheseSeeds = comparison.onTheseSeeds.verdict;
    if (ours === cell && others.includes(theirs)) {
      return [{ other: theirs, verdict, onTheseSeeds, seeds, examples }];
    }
    if (theirs === cell && others.includes(ours)) {
      return [{
        other: ours,
        verdict: opposite[verdict],
        onTheseSeeds: opposite[onTheseSeeds],
        seeds,
        examples,
      }];
    }
    return [];
  });
}
