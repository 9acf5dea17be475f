/** @file The scores of all methods. */
import { type Estimate, estimate } from "../../statistics/statistics.ts";
import { formatCellRate, formatDifference, formatInterval, formatNumber, formatRank } from "../format.ts";
import { countedScores, standInOf } from "../../study/pairs.ts";
import type { Before, Cell, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** What stands for the base checkpoint among methods. */
export const BEFORE = "Before fine-tuning";

/** What stands for answers that are all the same. */
export const COMMONEST = "Always the commonest class";

/** Mean scores with their intervals, each task's base checkpoint first. */
export function scoresTable(study: Study): Table {
  return {
    title: "Scores",
    note:
      "Mean over seeds of the mean over examples, a run that diverged counting as in “Comparisons”; the gain is over the base checkpoint's score before fine-tuning. Where " +
      "answers are classes, what always answering the commonest one scores stands below: a model reaches it without telling " +
      "them apart. The " +
      "first interval is for new draws of what the next column names, both being seeds and examples; the last two vary one and hold the other: Student's " +
      "t over seeds, and over examples Wilson's interval, or Student's where scores have grades between 0 and 1. All are " +
      "at 95%, and cut at 0 and 1. “edge” marks a rate at the edge of its grid: a wider one may hold a better one.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "Learning rate",
      "Score",
      "Gain",
      "95% interval",
      "for new",
      "over seeds",
      "over examples",
      "Seeds",
      "Examples",
    ],
    rows: study.tasks.flatMap((task) => {
      const before = study.before.find((one) => one.task === task);
      const cells = study.cells.filter((cell) => cell.task === task);
      return [
        ...before && cells.length > 0 ? [rowBefore(before), ...rowsOfCommonest(before)] : [],
        ...cells.map((cell) => rowOf(study, cell, before)),
      ];
    }),
  };
}

/** "both", "examples" or "seeds". */
export function formatSources({ interval, sources }: Pick<Estimate, "interval" | "sources">): string {
  return interval === null ? "—" : sources.length === 2 ? "both" : sources.join();
}

function rowBefore({ task, result: { scores } }: Before): string[] {
  const found = estimate([scores]);
  return [
    task.title,
    "—",
    BEFORE,
    "—",
    formatNumber(found.mean),
    "—",
    ...intervals(found),
    "—",
    String(found.examples),
  ];
}

function rowsOfCommonest({ task, result: { commonest, scores } }: Before): string[][] {
  if (commonest === undefined) return [];
  const none = Array.from({ length: 6 }, () => "—");
  return [[task.title, "—", COMMONEST, "—", formatNumber(commonest), ...none, String(scores.length)]];
}

function rowOf(study: Study, cell: Cell, before: Before | undefined): string[] {
  const { task, rank, method, diverged } = cell, scores = countedScores(study, cell);
  const start = [task.title, formatRank(rank), method.label, formatCellRate(cell)];
  const lost = diverged.length > 0 ? ` (${diverged.length} diverged)` : "";
  if (scores.length === 0) {
    const score = diverged.length > 0 ? standInOf(study, task) : null;
    const gain = score !== null && before ? formatDifference(score - before.result.score) : "—";
    return [
      ...start,
      score === null ? "—" : formatNumber(score),
      gain,
      "—",
      "—",
      "—",
      "—",
      `${diverged.length}${lost}`,
      "—",
    ];
  }
  const found = estimate(scores);
  return [
    ...start,
    formatNumber(found.mean),
    before ? formatDifference(found.mean - before.result.score) : "—",
    ...intervals(found),
    `${found.seeds}${lost}`,
    String(found.examples),
  ];
}

function intervals(found: Estimate): string[] {
  return [
    formatInterval(found.interval),
    formatSources(found),
    formatInterval(found.overSeeds),
    formatInterval(found.overExamples),
  ];
}
