/** @file Which share of the gap between LoRA and full fine-tuning each method closes. */
import { formatDifference, formatInterval, formatPercent, formatRank } from "../format.ts";
import type { ClosedGap } from "../gaps.ts";
import type { Table } from "../report.ts";

/** A row for each method between the two; without rows where one of them is missing. */
export function gapSharesTable(gaps: readonly ClosedGap[]): Table {
  return {
    title: "Share of the gap closed",
    note:
      "How far each method comes from LoRA's score at its rank (0%) to full fine-tuning's (100%), on the same examples and " +
      "seeds. The interval is Fieller's, at 95%, for new seeds and new examples as far as there are several. Where full " +
      "fine-tuning was not shown to be better than LoRA at 95% there is no gap to take shares of: “no gap shown”, or " +
      "“LoRA is ahead”. The closer a gap is to that, the wider its shares' intervals.",
    columns: ["Task", "Rank", "Method", "LoRA to full", "Share closed", "95% interval", "Seeds", "Examples"],
    rows: gaps.map(({ cell, found }) => [
      cell.task.title,
      formatRank(cell.rank),
      cell.method.label,
      formatDifference(found.gap),
      found.share === null
        ? found.shown === "worse" ? "LoRA is ahead" : "no gap shown"
        : formatPercent(found.share),
      formatInterval(found.interval, formatPercent),
      String(found.seeds),
      String(found.examples),
    ]),
  };
}
