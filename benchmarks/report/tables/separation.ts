/** @file Whether a task tells methods apart: their spread, beside that over seeds, and where its scores lie. */
import { mean, sampleDeviation } from "../../statistics/statistics.ts";
import { formatN, formatNumber, formatRank } from "../format.ts";
import { countedScores } from "../../study/pairs.ts";
import type { Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** A row for each task and rank at which two methods or more have a score; null where there is none. */
export function separationTable(study: Study): Table | null {
  const rows = study.tasks.flatMap((task) =>
    study.ranks.flatMap((rank) => {
      const cells = study.cells.filter((cell) =>
        cell.task === task && (cell.rank === rank || cell.rank === null) && cell.runs.length > 0
      );
      if (cells.length < 2) return [];
      const scores = cells.map((cell) => countedScores(study, cell).map(mean));
      const means = scores.map(mean), repeated = scores.filter((own) => own.length > 1);
      const overSeeds = Math.sqrt(mean(repeated.map((own) => sampleDeviation(own) ** 2)));
      const named = (score: number) => `${formatNumber(score)}, ${cells[means.indexOf(score)]!.method.label}`;
      const before = study.before.find((one) => one.task === task);
      return [[
        task.title,
        formatRank(rank),
        String(cells.length),
        task.chance === null ? "—" : formatNumber(task.chance),
        before?.result.commonest === undefined ? "—" : formatNumber(before.result.commonest),
        before ? formatNumber(before.result.score) : "—",
        named(Math.min(...means)),
        named(Math.max(...means)),
        formatNumber(sampleDeviation(means)),
        repeated.length > 0 ? formatNumber(overSeeds) : "—",
      ]];
    })
  );
  if (rows.length === 0) return null;
  return {
    title: "Separation of methods",
    note:
      "Standard deviation of the methods' mean scores, methods without a rank among them, beside that of single runs over " +
      "seeds (root of the mean variance). A task tells methods apart where the first is larger, and its lowest and highest " +
      `scores are away from chance, from what always answering the commonest class scores, and from 1. ${
        formatN(study.cells)
      }.`,
    columns: [
      "Task",
      "Rank",
      "Methods",
      "Chance",
      "Commonest class",
      "Before",
      "Lowest",
      "Highest",
      "Spread over methods",
      "Spread over seeds",
    ],
    rows,
  };
}
