/** @file What each method forgot of its base checkpoint's pretraining. */
import { formatDifference, formatInterval, formatNumber, formatRank } from "../format.ts";
import type { Forgot } from "../../study/forgetting.ts";
import type { Table } from "../table.ts";

/** A row a task, rank and method; without rows where no run tells. */
export function forgettingTable(forgot: readonly Forgot[]): Table {
  return {
    title: "Forgetting",
    note:
      "How much the loss on held-out examples of what the base checkpoint was pre-trained on rose, in nats a target, with a " +
      "95% interval for new seeds (Student's t). A method that scores higher has usually moved further and forgotten more, so " +
      "“at equal score” compares it with LoRA at the lower of the two methods' best scores: what each forgets there, by its " +
      "own learning rates, between two of them on a straight line, seed by seed. “—” stands where a method ran at one rate only. “Forgets” is " +
      "“less” or “more” than LoRA where that holds for all comparisons of the task together (Bonferroni), from four seeds on.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "Loss before",
      "Forgetting",
      "95% interval",
      "Equal score",
      "Forgetting there",
      "LoRA's there",
      "Difference",
      "Difference, 95%",
      "Forgets",
      "Seeds",
      "Pretrained on",
    ],
    lead: [
      "Task",
      "Rank",
      "Method",
      "Forgetting",
      "95% interval",
      "Equal score",
      "Difference",
      "Difference, 95%",
      "Forgets",
    ],
    rows: forgot.map(({ cell, corpus, before, rise, interval, seeds, atEqualScore }) => [
      cell.task.title,
      formatRank(cell.rank),
      cell.method.label,
      formatNumber(before),
      formatDifference(rise),
      formatInterval(interval, formatDifference),
      ...atEqualScore
        ? [
          formatNumber(atEqualScore.score),
          formatDifference(atEqualScore.ours),
          formatDifference(atEqualScore.theirs),
          formatDifference(atEqualScore.difference),
          formatInterval(atEqualScore.interval, formatDifference),
          atEqualScore.verdict ?? "—",
        ]
        : ["—", "—", "—", "—", "—", "—"],
      String(seeds),
      corpus,
    ]),
  };
}
