/** @file Every method against every other: which it is better than, the same as and worse than. */
import { FEWEST_SEEDS } from "../../statistics/comparison.ts";
import { mean } from "../../statistics/statistics.ts";
import { isJudged, reversed, type Verdict } from "../../statistics/verdicts.ts";
import { formatNumber, formatRank, formatWhole } from "../format.ts";
import { contestsOf, countedScores, type Pair } from "../../study/pairs.ts";
import type { Cell, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/**
 * A row for each method of each contest of three or more of which a pair is judged; null where there is none.
 *
 * @param pairs all of the report, those with baselines among them: no pair has a second verdict
 */
export function anyTwoTable(study: Study, pairs: readonly Pair[]): Table | null {
  const rows = contestsOf(study).flatMap(({ task, rank, cells }) => {
    const isAmong = ({ ours, theirs, comparison }: Pair) =>
      isJudged(comparison) && cells.includes(ours) && cells.includes(theirs);
    if (cells.length < 3 || !pairs.some(isAmong)) return [];
    const scoreOf = (cell: Cell) => mean(countedScores(study, cell).map(mean));
    return cells.toSorted((a, b) => scoreOf(b) - scoreOf(a)).map((cell) => {
      const own = verdictsOf(cell, cells, pairs);
      const named = (...wanted: readonly Verdict[]) => {
        const labels = own.filter(({ verdict }) => wanted.includes(verdict)).map(({ other }) =>
          other.method.label
        );
        return labels.length > 0 ? labels.join("; ") : "—";
      };
      return [
        task.title,
        formatRank(rank),
        cell.method.label,
        formatNumber(scoreOf(cell)),
        named("better"),
        named("same", "identical"),
        named("undecided"),
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
      "that they have there; all other pairs on a task are corrected together. Same is within " +
      `${study.margin}; pairs with fewer than ${FEWEST_SEEDS} seeds in common are left out.`,
    columns: [
      "Task",
      "Rank",
      "Method",
      "Score",
      "Better than",
      "Same as",
      "Undecided",
      "Worse than",
      "Seeds",
      "Examples",
    ],
    rows,
  };
}

/** What came out for a cell against the others of a contest, as it sees it; pairs that were not judged are left out. */
export function verdictsOf(cell: Cell, others: readonly Cell[], pairs: readonly Pair[]) {
  return pairs.filter(({ comparison }) => isJudged(comparison)).flatMap(
    ({ ours, theirs, comparison: { verdict, seeds, examples } }) => {
      if (ours === cell && others.includes(theirs)) return [{ other: theirs, verdict, seeds, examples }];
      if (theirs === cell && others.includes(ours)) {
        return [{ other: ours, verdict: reversed(verdict), seeds, examples }];
      }
      return [];
    },
  );
}
