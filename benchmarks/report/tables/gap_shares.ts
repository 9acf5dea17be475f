/** @file Which share of the gap between LoRA and full fine-tuning each method closes. */
import { formatDifference, formatInterval, formatPercent, formatRank } from "../format.ts";
import type { ClosedGap } from "../../study/gaps.ts";
import type { Table } from "../table.ts";

/** What stands in a share's place. */
const WITHOUT: Readonly<Record<ClosedGap["shown"], string>> = {
  better: "not bounded",
  worse: "LoRA is ahead",
  same: "no gap",
  identical: "no gap",
  undecided: "no gap shown",
};

/** A row for each method between the two; without rows where one of them is missing. */
export function gapSharesTable(gaps: readonly ClosedGap[]): Table {
  return {
    title: "Share of the gap closed",
    note:
      "How far each method comes from LoRA's score at its rank (0%) to full fine-tuning's (100%), on the same examples and " +
      "seeds. Shares are told only where “Comparisons” found full fine-tuning better than LoRA; elsewhere there is no gap to " +
      "take shares of: “no gap” where the two are the same, “no gap shown”, or “LoRA is ahead”. The interval is Fieller's, at 95%, for new seeds and new examples; " +
      "the closer a gap is to none, the wider it is.",
    columns: ["Task", "Rank", "Method", "LoRA to full", "Share closed", "95% interval", "Seeds", "Examples"],
    rows: gaps.map(({ cell, shown, found }) => [
      cell.task.title,
      formatRank(cell.rank),
      cell.method.label,
      formatDifference(found.gap),
      found.share === null ? WITHOUT[shown] : formatPercent(found.share),
      formatInterval(found.interval, formatPercent),
      String(found.seeds),
      String(found.examples),
    ]),
  };
}
