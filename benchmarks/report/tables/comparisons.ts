/** @file Each method against LoRA and against full fine-tuning. */
import { formatDifference, formatInterval, formatNumber, formatProbability, formatRank } from "../format.ts";
import type { Pair } from "../pairs.ts";
import type { Table } from "../report.ts";
import { formatSources } from "./scores.ts";

/** Paired differences with verdicts. */
export function comparisonsTable(pairs: readonly Pair[]): Table {
  return {
    title: "Comparisons",
    note:
      "Difference of scores on the same examples and seeds, with its 95% interval for new draws of what the next column " +
      "names, both being seeds and examples; beside it the interval for new examples and the seeds that were run. d is the difference in standard deviations of single differences (Cohen's d " +
      "of pairs). p is uncorrected and goes with the interval; the verdict is by p after Holm's correction for the " +
      `${pairs.length} comparisons of this table, at 5%. A tie means that no difference was shown, which is not the same ` +
      "as none: the last number but the counts is the least difference that would have been shown four times in five, " +
      "uncorrected. Two or three seeds show little about others: “on these seeds” asks the lesser question, whether new " +
      "examples would tell the two methods apart with the seeds that were run, corrected likewise. n of a row is its seeds times its examples, each pair being one seed on one example.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "against",
      "Difference",
      "95% interval",
      "for new",
      "over examples",
      "d",
      "p",
      "p, Holm",
      "Would show",
      "Seeds",
      "Examples",
      "On these seeds",
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
      formatInterval(comparison.overExamples, formatDifference),
      comparison.effect === null ? "—" : formatDifference(comparison.effect),
      formatProbability(comparison.pValue),
      formatProbability(comparison.corrected),
      comparison.detectable === null ? "—" : formatNumber(comparison.detectable),
      String(comparison.seeds),
      String(comparison.examples),
      comparison.onTheseSeeds.verdict,
      comparison.verdict,
    ]),
  };
}
