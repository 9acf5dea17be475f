/** @file The score of every seed. */
import { farSeeds } from "../../study/far_seeds.ts";
import { standInOf } from "../../study/pairs.ts";
import type { Study } from "../../study/study.ts";
import { formatCellRate, formatNumber, formatRank } from "../format.ts";
import type { Table } from "../table.ts";

/** A row for each cell that has a run. */
export function seedsTable(study: Study): Table {
  return {
    title: "Scores of every seed",
    note:
      "The score of each seed, behind the seed's number. One that diverged counts as what stands in brackets. “Far from the " +
      "others” are seeds that are no chance among those of their method: Rosner's test of extreme Studentised deviates, at 1% " +
      "for all seeds of a row, from four seeds on. They count like all others, in means and in verdicts; a mean that hangs on " +
      "one is worth as little as that seed.",
    columns: ["Task", "Rank", "Method", "Learning rate", "Scores by seed", "Far from the others", "Seeds"],
    rows: study.cells.filter(({ runs, diverged }) => runs.length + diverged.length > 0).map((cell) => {
      const { task, rank, method, runs, diverged } = cell;
      const scores = [
        ...runs.map(({ config: { seed }, outcome: { score } }) => [seed, formatNumber(score)] as const),
        ...diverged.map((seed) => [seed, `diverged (${formatNumber(standInOf(study, task))})`] as const),
      ].toSorted(([a], [b]) => a - b);
      const far = farSeeds(cell).map(({ config, outcome }) =>
        `${config.seed}: ${formatNumber(outcome.score)}`
      );
      return [
        task.title,
        formatRank(rank),
        method.label,
        formatCellRate(cell),
        scores.map(([seed, score]) => `${seed}: ${score}`).join(", "),
        far.length > 0 ? far.join(", ") : "—",
        String(scores.length),
      ];
    }),
  };
}
