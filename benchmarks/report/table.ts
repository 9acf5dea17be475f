/** @file A table of a report. */

/** A table, ready to print. */
export interface Table {
  readonly title: string;
  /** How to read it. */
  readonly note: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}
