/** @file Each method against LoRA and against full fine-tuning. */
import { FEWEST_SEEDS } from "../../statistics/comparison.ts";
import {
  formatDifference,
  formatInterval,
  formatNumber,
  formatProbability,
  formatRank,
  formatVerdict,
} from "../format.ts";
import type { Pair } from "../../study/pairs.ts";
import type { Table } from "../table.ts";
import { formatSources } from "./scores.ts";

/**
 * Paired differences with verdicts.
 *
 * @param margin of “same”
 */
export function comparisonsTable(pairs: readonly Pair[], margin: number): Table {
  const lost = pairs.some(({ diverged }) => Math.max(...diverged) > 0);
  return {
    title: "Comparisons",
    note:
      "Difference of scores on the same examples and seeds, with its 95% interval for new draws of what the next column " +
      "names, both being seeds and examples. Wins are the seeds on which the method scores higher than the other; equal " +
      "scores count for neither. p goes with the interval, which is not corrected and no verdict. The verdict is by p after Holm's correction for all comparisons " +
      "with the same other method on the same task, at 5%, and about new seeds and examples. “Same” means that the true " +
      `difference was shown to be less than ${margin} either way, by two one-sided tests at 5% after Holm's correction (“p, ` +
      "same”); “identical” that runs are equal bit for bit. Undecided is what neither was shown of: “would show” is the least " +
      "true difference that would have been shown about four times in five, at the level that the verdict asks for. With " +
      `fewer than ${FEWEST_SEEDS} seeds in common nothing is decided.` +
      (lost
        ? " Of seeds that diverged, the method's and the other's are told; such a run counts as what chance scores, or, where " +
          "nobody knows that, as the score before fine-tuning."
        : ""),
    columns: [
      "Task",
      "Rank",
      "Method",
      "against",
      "Difference",
      "95% interval",
      "for new",
      "Wins",
      "p",
      "p, Holm",
      "p, same",
      "Would show",
      "Seeds",
      "Examples",
      ...lost ? ["Diverged"] : [],
      "Verdict",
    ],
    lead: ["Method", "Task", "Rank", "against", "Difference", "Verdict", "95% interval", "Wins"],
    bars: { rows: pairs.map(({ comparison }) => comparison), margin },
    rows: pairs.map(({ ours, theirs, comparison, diverged }) => [
      ours.task.title,
      formatRank(ours.rank),
      ours.method.label,
      theirs.method.label,
      formatDifference(comparison.mean),
      formatInterval(comparison.interval, formatDifference),
      formatSources(comparison),
      `${comparison.wins} of ${comparison.seeds}`,
      formatProbability(comparison.pValue),
      formatProbability(comparison.corrected),
      formatProbability(comparison.correctedWithin),
      comparison.detectable === null ? "—" : formatNumber(comparison.detectable),
      String(comparison.seeds),
      String(comparison.examples),
      ...lost ? [diverged.join(" and ")] : [],
      formatVerdict(comparison),
    ]),
  };
}
