/** @file Methods by their place at their own learning rates, and at one rate for all. */
import { formatCellRate, formatNumber, formatRank, formatRate } from "../format.ts";
import type { Place, Ranking } from "../../study/rankings.ts";
import type { Table } from "../table.ts";

/** A row for each method of each ranking. */
export function rankingsTable(rankings: readonly Ranking[]): Table {
  return {
    title: "Rankings at own rates and at one shared rate",
    note:
      "Places on each task at each rank. On the left every method is at its own rate, the one of its grid " +
      "with the lowest validation loss. On the right all are at one rate, at which all methods ran to the " +
      "end. It is chosen without favour: against its lowest validation loss at such a rate, each method " +
      "loses something there, and the largest of these losses is the smallest that a rate has. A dash means " +
      "that no rate is common to all. Places are by the mean score where this sweep ran the grids, else by " +
      "the mean validation loss of the tuning. A place is no verdict: whether methods differ is in " +
      "“Comparisons”. “edge” marks rates at the edge of their grids. n is the seeds at each rate, and the " +
      "examples of a score.",
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
    rows: rankings.flatMap(({ task, rank, by, learningRate, standings }) =>
      standings.map(({ cell, own, shared }) => [
        task.title,
        formatRank(rank),
        by === "score" ? task.metric : by,
        cell.method.label,
        formatCellRate({ ...cell, learningRate: own.learningRate }),
        formatValue(own),
        formatPlace(own),
        learningRate === null ? "—" : formatRate(learningRate),
        formatValue(shared),
        formatPlace(shared),
        shared === null || own.seeds === shared.seeds || shared.value === null
          ? String(own.seeds)
          : `${own.seeds}, ${shared.seeds}`,
        own.examples === null ? "—" : String(own.examples),
      ])
    ),
  };
}

function formatValue(place: Place | null): string {
  return place === null ? "—" : place.value === null ? "none" : formatNumber(place.value);
}

function formatPlace(place: Place | null): string {
  return place?.place == null ? "—" : String(place.place);
}
