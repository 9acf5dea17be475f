/** @file Numbers as reports print them. */
import type { Interval } from "../statistics/statistics.ts";
import type { Judgement } from "../statistics/verdicts.ts";
import type { Cell } from "../study/study.ts";

/** A score or a loss with three decimals: "0.512", "−0.082". */
export function formatNumber(value: number): string {
  return value.toFixed(3).replace("-", "−");
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

/** A p value with two digits: "0.031"; "< 0.001" below that; a dash where nothing is known. */
export function formatProbability(value: number | null): string {
  if (value === null) return "—";
  // 0.0496 must not look like 0.05: what is below a level has to be seen to be.
  return value < 0.001 ? "< 0.001" : (Math.floor(value * 1000) / 1000).toFixed(3);
}

/** "better", "worse, by less than 0.02", "same within 0.02", "identical", "undecided". */
export function formatVerdict({ verdict, isWithin, margin }: Judgement): string {
  if (verdict === "same") return `same within ${margin}`;
  return isWithin && verdict !== "identical" ? `${verdict}, by less than ${margin}` : verdict;
}

/** "63%", "−12%". */
export function formatPercent(share: number): string {
  const percent = Math.round(100 * share);
  return `${percent < 0 ? "−" : ""}${Math.abs(percent)}%`;
}

/** "312 B", "24.5 KiB", "1.20 MiB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(2)} MiB`;
}

/** What was measured, as `format` writes it; else a dash and that it wasn't. */
export function formatMeasured(value: number | null, format: (value: number) => string): string {
  return value === null ? "— (not measured)" : format(value);
}

/** Three significant digits, never as a power of ten: "0.0113", "12.3", "1350". */
export function formatSignificant(value: number): string {
  return (value >= 100 ? String(Number(value.toPrecision(3))) : value.toPrecision(3)).replace("-", "−");
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

/** A cell's learning rate, marked where a wider grid may hold a better one: "0.004", "0.032 (edge)". */
export function formatCellRate({ learningRate, chosen }: Pick<Cell, "learningRate" | "chosen">): string {
  return chosen?.atEdge && chosen.learningRate === learningRate
    ? `${formatRate(learningRate)} (edge)`
    : formatRate(learningRate);
}

/** "2", "1 to 3": counts of several things at once; a dash for nothing. */
export function formatWhole(counts: readonly number[]): string {
  if (counts.length === 0) return "—";
  const fewest = Math.min(...counts), most = Math.max(...counts);
  return fewest === most ? String(most) : `${fewest} to ${most}`;
}

/** "2 seeds", "1 to 3 seeds"; "no seeds" of nothing. */
export function formatCounts(counts: readonly number[], noun: string): string {
  if (counts.length === 0) return `no ${noun}s`;
  return `${formatWhole(counts)} ${noun}${Math.max(...counts) === 1 ? "" : "s"}`;
}

/** "n = 2 seeds, 200 to 500 examples": how many finished runs and examples are behind each number of such cells. */
export function formatN(cells: readonly Pick<Cell, "runs">[]): string {
  const finished = cells.filter(({ runs }) => runs.length > 0);
  const seeds = finished.map(({ runs }) => runs.length);
  const examples = finished.map(({ runs }) => runs[0]!.outcome.scores.length);
  return `n = ${formatCounts(seeds, "seed")}, ${formatCounts(examples, "example")}`;
}

/** "0.512", "0.512 to 0.740": the least and the most. */
export function formatRange(values: readonly number[], write: (value: number) => string): string {
  const low = write(Math.min(...values)), high = write(Math.max(...values));
  return low === high ? low : `${low} to ${high}`;
}

/** "2 seeds", "1 seed". */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
