/** @file Methods by their place at their own learning rates, and at one rate for all. */
import { formatCellRate, formatNumber, formatRank, formatRate } from "../format.ts";
import type { Place, Ranking } from "../rankings.ts";
import type { Table } from "../report.ts";

/** A row for each method of each ranking. */
export function rankingsTable(rankings: readonly Ranking[]): Table {
  return {
    title: "Rankings at own rates and at one shared rate",
    note:
      "Places on each task at each rank: on the left every method at its own rate, the one of its grid with the least " +
      "validation loss, on the right all at one rate. That rate is chosen without favour: every method ranks all rates by " +
      "its validation loss, those where it diverged or was not run last, and the least mean rank is taken. Places are by " +
      "the mean score where this sweep ran the grids, else by the mean validation loss of the tuning. “ties” marks methods " +
      "that were not shown to differ from the first (paired, at 5% after Holm's correction for all such comparisons here); " +
      "with one seed of validation losses nothing can tell. “edge” marks rates at the edge of their grids. n is the seeds " +
      "at each rate, and the examples of a score.",
    columns: [
      "Task",
      "Rank",
      "by",
      "Method",
      "Own rate",
      "Value",
      "Place",
      "Shared rate",
      "Value",
      "Place",
      "Seeds",
      "Examples",
    ],
    rows: rankings.flatMap(({ task, rank, by, peak, standings }) =>
      standings.map(({ cell, own, shared }) => [
        task.title,
        formatRank(rank),
        by === "score" ? task.metric : by,
        cell.method.label,
        formatCellRate({ ...cell, peak: own.peak }),
        formatValue(own),
        formatPlace(own),
        formatRate(peak),
        formatValue(shared),
        formatPlace(shared),
        own.seeds === shared.seeds || shared.value === null
          ? String(own.seeds)
          : `${own.seeds}, ${shared.seeds}`,
        own.examples === null ? "—" : String(own.examples),
      ])
    ),
  };
}

function formatValue({ value }: Place): string {
  return value === null ? "none" : formatNumber(value);
}

function formatPlace({ place, againstFirst }: Place): string {
  if (place === null) return "—";
  return againstFirst?.pValue != null && againstFirst.verdict === "tie" ? `${place}, ties` : String(place);
}
