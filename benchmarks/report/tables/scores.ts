/** @file The scores of all methods. */
import { createRandom } from "../../../numerics/random.ts";
import { bootstrapInterval, estimate, meanByExample } from "../../statistics.ts";
import { formatInterval, formatNumber, formatRank, formatRate } from "../format.ts";
import type { Study, Table } from "../report.ts";

/** Mean scores with their intervals. */
export function scoresTable(study: Study): Table {
  return {
    title: "Scores",
    note:
      "Mean over seeds of the mean over examples. The first interval is for new seeds and new examples; the other " +
      "two vary one and hold the other: Student's t over seeds, bootstrap over examples. All are at 95%.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "Peak rate",
      "Score",
      "95% interval",
      "over seeds",
      "over examples",
      "Seeds",
      "Examples",
    ],
    rows: study.cells.map((cell) => {
      const { task: { title }, rank, method: { label }, peak, runs, diverged } = cell;
      const start = [title, formatRank(rank), label, formatRate(peak)];
      const lost = diverged.length > 0 ? ` (${diverged.length} diverged)` : "";
      if (runs.length === 0) return [...start, "—", "—", "—", "—", `0${lost}`, "—"];
      const scores = runs.map((run) => run.outcome.scores);
      const found = estimate(scores);
      const resampled = bootstrapInterval(meanByExample(scores), createRandom(0).fork("bootstrap"));
      return [
        ...start,
        formatNumber(found.mean),
        formatInterval(found.interval),
        formatInterval(found.overSeeds),
        formatInterval(resampled),
        `${found.seeds}${lost}`,
        String(found.examples),
      ];
    }),
  };
}
