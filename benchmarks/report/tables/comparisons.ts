/** @file Each method against LoRA and against full fine-tuning. */
import { formatDifference, formatInterval, formatRank } from "../format.ts";
import type { Pair } from "../pairs.ts";
import type { Table } from "../report.ts";
import { formatSources } from "./scores.ts";

/** Paired differences with verdicts. */
export function comparisonsTable(pairs: readonly Pair[]): Table {
  return {
    title: "Comparisons",
    note:
      "Difference of scores on the same examples and seeds, with its 95% interval for new draws of what the next column " +
      "names, both being seeds and examples. " +
      "A tie is an interval that includes 0: no difference was shown, which is not the same as none. The intervals are " +
      "not corrected for the number of comparisons; with two seeds that differ much they hold the truth less often than " +
      "they say (88 rather than 95 of 100).",
    columns: [
      "Task",
      "Rank",
      "Method",
      "against",
      "Difference",
      "95% interval",
      "for new",
      "Seeds",
      "Examples",
      "Verdict",
    ],
    rows: pairs.map(({ ours, theirs, comparison }) => [
      ours.task.title,
      formatRank(ours.rank),
      ours.method.label,
      theirs.method.label,
      formatDifference(comparison.mean),
      formatInterval(comparison.interval, formatDifference),
      formatSources(comparison),
      String(comparison.seeds),
      String(comparison.examples),
      comparison.verdict,
    ]),
  };
}
