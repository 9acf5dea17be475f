/** @file A table of a report. */
import type { Bar } from "./bar.ts";

/** A table, ready to print. */
export interface Table {
  readonly title: string;
  /** How to read it. */
  readonly note: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The columns that a page shows at once, in this order; the others wait behind a switch. All where absent. */
  readonly lead?: readonly string[];
  /** A drawing a row, behind the column “Verdict”: differences within the margin are the same. */
  readonly bars?: { readonly rows: readonly Bar[]; readonly margin: number };
}
