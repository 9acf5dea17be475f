/** @file Which share of the gap between LoRA and full fine-tuning each method closes. */
import { type GapShare, shareOfGap } from "../statistics/gap_share.ts";
import { isJudged, reversed, type Verdict } from "../statistics/verdicts.ts";
import { type Pair, pairedScores } from "./pairs.ts";
import type { Cell, Study } from "./study.ts";

/** A method between LoRA at its own rank and full fine-tuning, on the same task and the seeds that all three have. */
export interface ClosedGap {
  readonly cell: Cell;
  readonly lora: Cell;
  readonly full: Cell;
  /** What the comparison of LoRA with full fine-tuning says of the latter, corrected in its family. */
  readonly shown: Verdict;
  /** Its share is null unless `shown` is "better": of no gap there are no shares. */
  readonly found: GapShare;
}

/**
 * Every method with a rank against the first variants of LoRA and of full fine-tuning, in the order of the cells, where the
 * comparison of these two is judged.
 *
 * @param pairs every method against the baselines: the verdict about the gap is there
 */
export function closedGaps(study: Study, pairs: readonly Pair[]): ClosedGap[] {
  const first = (id: string) => study.methods.find(({ optimizer }) => optimizer === id);
  const low = first("lora"), high = first("full");
  return study.cells.flatMap((cell): ClosedGap[] => {
    const at = (method: typeof low) =>
      study.cells.find((other) =>
        other.method === method && other.task === cell.task &&
        (other.rank === null || other.rank === cell.rank)
      );
    const lora = at(low), full = at(high);
    const comparison = pairs.find(({ ours, theirs }) => ours === lora && theirs === full)?.comparison;
    if (!lora || !full || !comparison || cell.rank === null || [lora, full].includes(cell)) return [];
    const [ours, from, to] = pairedScores(study, [cell, lora, full]);
    if (ours!.length === 0 || !isJudged(comparison)) return [];
    const found = shareOfGap(ours!, from!, to!), shown = reversed(comparison.verdict);
    return [{
      cell,
      lora,
      full,
      shown,
      found: shown === "better" ? found : { ...found, share: null, interval: null },
    }];
  });
}
