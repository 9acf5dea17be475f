/** @file The record of a reading: how much was kept, and why the rest was not. */
import { describeSkip, type SkipReason } from "../skip.ts";

/** How much of a data set could be used. `read` = `kept` + the sum of `skipped`. */
export interface ReadRecord {
  /** Examples that the files hold. */
  readonly read: number;
  /** Examples that there are to choose from. */
  readonly kept: number;
  /** How many were left out, by reason: for people, as `describeSkip` tells it. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** Counts a reading. */
export interface Tally {
  /** Counts an example as kept. */
  keep(): void;
  /** Counts an example as left out. */
  skip(reason: SkipReason): void;
  /** The counts so far, reasons in the order of their names. */
  record(): ReadRecord;
  /** The reasons so far, each once. */
  reasons(): readonly SkipReason[];
}

/** A tally at nothing read. */
export function createTally(): Tally {
  const skipped = new Map<string, { readonly reason: SkipReason; count: number }>();
  let kept = 0;
  return {
    keep: () => void kept++,
    skip(reason) {
      const words = describeSkip(reason), own = skipped.get(words);
      if (own) own.count++;
      else skipped.set(words, { reason, count: 1 });
    },
    record() {
      const sorted = [...skipped].toSorted(([a], [b]) => a < b ? -1 : 1);
      const counts = sorted.map(([words, { count }]) => [words, count] as const);
      const left = counts.reduce((sum, [, count]) => sum + count, 0);
      return { read: kept + left, kept, skipped: Object.fromEntries(counts) };
    },
    reasons: () => Array.from(skipped.values(), ({ reason }) => reason),
  };
}

/** A record in words, e.g. "2,000 read, 1,990 kept, 10 skipped (10 without an answer)". */
export function describeRecord({ read, kept, skipped }: ReadRecord): string {
  const count = (value: number) => value.toLocaleString("en-US");
  const reasons = Object.entries(skipped).map(([reason, number]) => `${count(number)} ${reason}`);
  const why = reasons.length > 0 ? ` (${reasons.join(", ")})` : "";
  return `${count(read)} read, ${count(kept)} kept, ${count(read - kept)} skipped${why}`;
}
