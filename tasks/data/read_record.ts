/** @file The record of a reading: how much was kept, and why the rest was not. */

/** How much of a data set could be used. `read` = `kept` + the sum of `skipped`. */
export interface ReadRecord {
  /** Examples that the files hold. */
  readonly read: number;
  /** Examples that there are to choose from. */
  readonly kept: number;
  /** How many were left out, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** Why an example is left out: returned in its place. */
export interface Skip {
  /** e.g. "no answer". Few different ones: they are counted. */
  readonly skip: string;
}

/** True for what stands in an example's place. */
export function isSkip(value: object): value is Skip {
  return "skip" in value;
}

/** Counts a reading. */
export interface Tally {
  /** Counts an example as kept. */
  keep(): void;
  /** Counts an example as left out. */
  skip(reason: string): void;
  /** The counts so far, reasons in the order of their names. */
  record(): ReadRecord;
}

/** A tally at nothing read. */
export function createTally(): Tally {
  const skipped = new Map<string, number>();
  let kept = 0;
  return {
    keep: () => void kept++,
    skip: (reason) => void skipped.set(reason, (skipped.get(reason) ?? 0) + 1),
    record() {
      const left = [...skipped.values()].reduce((sum, count) => sum + count, 0);
      const sorted = [...skipped].toSorted(([a], [b]) => a < b ? -1 : 1);
      return { read: kept + left, kept, skipped: Object.fromEntries(sorted) };
    },
  };
}

/** A record in words, e.g. "2,000 read, 1,990 kept, 10 skipped (10 without an answer)". */
export function describeRecord({ read, kept, skipped }: ReadRecord): string {
  const count = (value: number) => value.toLocaleString("en-US");
  const reasons = Object.entries(skipped).map(([reason, number]) => `${count(number)} ${reason}`);
  const why = reasons.length > 0 ? ` (${reasons.join(", ")})` : "";
  return `${count(read)} read, ${count(kept)} kept, ${count(read - kept)} skipped${why}`;
}
