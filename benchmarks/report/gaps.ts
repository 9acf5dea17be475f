/** @file Which share of the gap between LoRA and full fine-tuning each method closes. */
import { type GapShare, shareOfGap } from "../gap_share.ts";
import { pairedScores } from "./pairs.ts";
import type { Cell, Study } from "./report.ts";

/** A method between LoRA at its own rank and full fine-tuning, on the same task and the seeds that all three finished. */
export interface ClosedGap {
  readonly cell: Cell;
  readonly lora: Cell;
  readonly full: Cell;
  readonly found: GapShare;
}

/** Every method with a rank against the first variants of LoRA and of full fine-tuning, in the order of the cells. */
export function closedGaps(study: Study): ClosedGap[] {
  const first = (id: string) => study.methods.find(({ optimizer }) => optimizer === id);
  const low = first("lora"), high = first("full");
  return study.cells.flatMap((cell): ClosedGap[] => {
    const at = (method: typeof low) =>
      study.cells.find((other) =>
        other.method === method && other.task === cell.task &&
        (other.rank === null || other.rank === cell.rank)
      );
    const lora = at(low), full = at(high);
    if (!lora || !full || cell.rank === null || [lora, full].includes(cell)) return [];
    const [ours, from, to] = pairedScores([cell, lora, full]);
    return ours!.length > 0 ? [{ cell, lora, full, found: shareOfGap(ours!, from!, to!) }] : [];
  });
}
