/** @file Where the error of each score comes from: seeds and test examples, told apart. */
import { errorSources, mean } from "../../statistics/statistics.ts";
import { formatNumber, formatRank } from "../format.ts";
import { countedScores } from "../../study/pairs.ts";
import type { Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** Standard errors by source; null where no method has two seeds. */
export function sourcesTable(study: Study): Table | null {
  const rows = study.cells.flatMap((cell) => {
    const { task, rank, method } = cell, scores = countedScores(study, cell), found = errorSources(scores);
    return found === null ? [] : [[
      task.title,
      formatRank(rank),
      method.label,
      formatNumber(mean(scores.map(mean))),
      ...[found.total, found.seeds, found.examples, found.both, found.spread].map(formatError),
      String(scores.length),
      String(scores[0]!.length),
    ]];
  });
  if (rows.length === 0) return null;
  return {
    title: "Sources of error",
    note:
      "The standard error of the mean score, and its parts: from the seeds (order of the data, the method's start), from " +
      "the finite test set, and from what single seeds make of single examples; their squares add up. More seeds lessen " +
      "the first, more test examples the second, both the third. The spread is the standard deviation of one run's score " +
      "over seeds, on these examples. Two-way analysis of variance (Searle, Casella and McCulloch, 1992); a part that comes " +
      "out below 0 is 0, and with two or three seeds the first part is itself uncertain.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "Score",
      "Standard error",
      "from seeds",
      "from examples",
      "from both",
      "Spread over seeds",
      "Seeds",
      "Examples",
    ],
    rows,
  };
}

function formatError(value: number): string {
  return value === 0 ? "0" : value.toFixed(4);
}
