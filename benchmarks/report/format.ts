/** @file Numbers as reports print them. */
import type { Interval } from "../statistics.ts";

/** A score or a loss with three decimals. */
export function formatNumber(value: number): string {
  return value.toFixed(3);
}

/** A difference with its sign: "+0.031", "−0.200". */
export function formatDifference(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}

/** "0.512 to 0.740"; a dash where nothing is known. */
export function formatInterval(
  interval: Interval | null,
  write: (value: number) => string = formatNumber,
): string {
  return interval === null ? "—" : `${write(interval.low)} to ${write(interval.high)}`;
}

/** "312 B", "24.5 KiB", "1.20 MiB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(2)} MiB`;
}

/** Three significant digits, never as a power of ten: "0.0113", "12.3", "1350". */
export function formatSignificant(value: number): string {
  return value >= 100 ? String(Number(value.toPrecision(3))) : value.toPrecision(3);
}

/** "4.20 GiB", "119 GiB": for what no small model holds. */
export function formatLargeBytes(bytes: number): string {
  return `${formatSignificant(bytes / 1024 ** 3)} GiB`;
}

/** "35.0 ms", "12.3 s", "5.20 h". */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${formatSignificant(1000 * seconds)} ms`;
  return seconds < 3600 ? `${formatSignificant(seconds)} s` : `${formatSignificant(seconds / 3600)} h`;
}

/** A rank, or a dash for methods without. */
export function formatRank(rank: number | null): string {
  return rank === null ? "—" : String(rank);
}

/** A learning rate: "0.002", "5e-5". */
export function formatRate(rate: number): string {
  return rate < 1e-3 ? rate.toExponential().replace("e-0", "e-") : String(rate);
}

/** "2 seeds", "1 seed". */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
