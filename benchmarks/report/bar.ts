/** @file A difference as a small drawing in a row: a point, its interval, the margin of “same”, and zero. */
import type { Interval } from "../statistics/statistics.ts";
import type { Verdict } from "../statistics/verdicts.ts";
import { type Content, type Markup, markup } from "./markup.ts";

/** What one bar shows. */
export interface Bar {
  readonly mean: number;
  /** Null where nothing is known. */
  readonly interval: Interval | null;
  readonly verdict: Verdict;
  /** Differences of single tasks, behind. */
  readonly dots?: readonly number[];
}

/** The axis that bars below each other share. */
export interface BarAxis {
  readonly low: number;
  readonly high: number;
  /** Differences of less, either way, are the same. */
  readonly margin: number;
  /** The numbers that stand on it. */
  readonly ticks: readonly { readonly value: number; readonly told: string }[];
}

const HEIGHT = 20, MIDDLE = HEIGHT / 2;

/** An axis for some bars: an interval that is far longer than all differences is cut, so that the others can be seen. */
export function axisOf(bars: readonly Bar[], margin: number): BarAxis {
  const furthest = Math.max(1.5 * margin, ...bars.map(({ mean }) => Math.abs(mean)));
  const ends = bars.flatMap(({ mean, interval, dots = [] }) => [
    mean,
    ...dots,
    ...interval ? [interval.low, interval.high] : [],
  ]);
  const most = 2.2 * furthest, room = 0.08 * furthest;
  const low = Math.max(-most, Math.min(-1.5 * margin, ...ends) - room);
  const high = Math.min(most, Math.max(1.5 * margin, ...ends) + room);
  return { low, high, margin, ticks: ticksOf(low, high) };
}

function ticksOf(low: number, high: number): BarAxis["ticks"] {
  const step = stepOf(high - low), digits = Math.max(0, -Math.floor(Math.log10(step)));
  const ticks: { value: number; told: string }[] = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    const value = i * step;
    ticks.push({
      value,
      told: i === 0 ? "0" : `${i < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`,
    });
  }
  return ticks;
}

/** The drawing, as wide as its place. Its numbers stand beside it, so it says nothing itself. */
export function drawBar({ mean, interval, verdict, dots = [] }: Bar, axis: BarAxis): Markup {
  const { low, high, margin } = axis, place = (value: number) => percent(value, axis);
  const line: Content = interval &&
    markup`<line class="span" x1="${place(Math.max(low, interval.low))}" x2="${
      place(Math.min(high, interval.high))
    }" y1="${MIDDLE}" y2="${MIDDLE}"/>`;
  const arrow = (at: string, path: string) =>
    markup`<svg x="${at}" overflow="visible"><path class="cut" d="${path}"/></svg>`;
  const at = (x: number) => place(Math.min(high, Math.max(low, x)));
  return markup`<svg class="bar ${verdict}" height="${HEIGHT}" aria-hidden="true"><rect class="margin" x="${
    place(-margin)
  }" width="${`${(200 * margin / (high - low)).toFixed(1)}%`}" height="100%"/><line class="zero" x1="${
    place(0)
  }" x2="${place(0)}" y2="100%"/>${
    dots.map((one) => markup`<circle class="single" cx="${at(one)}" cy="${MIDDLE}" r="2"/>`)
  }${line}${interval && interval.low < low ? arrow("0", "M7,5L0,10L7,15") : null}${
    interval && interval.high > high ? arrow("100%", "M-7,5L0,10L-7,15") : null
  }${
    verdict === "same" || verdict === "identical"
      ? markup`<svg x="${
        at(mean)
      }" overflow="visible"><rect class="point" x="-4.5" y="5.5" width="9" height="9"/></svg>`
      : markup`<circle class="point" cx="${at(mean)}" cy="${MIDDLE}" r="4.5"/>`
  }</svg>`;
}

/** The numbers of the axis. */
export function drawAxis(axis: BarAxis): Markup {
  const { low, high, ticks } = axis;
  return markup`<svg class="axis" height="16" aria-hidden="true">${
    ticks.map(({ value, told }) => {
      const share = (value - low) / (high - low),
        anchor = share < 0.08 ? "start" : share > 0.92 ? "end" : "middle";
      return markup`<text x="${percent(value, axis)}" y="12" text-anchor="${anchor}">${told}</text>`;
    })
  }</svg>`;
}

/** About three ticks: 1, 2 or 5 times a power of ten. */
function stepOf(range: number): number {
  const power = 10 ** Math.floor(Math.log10(range / 3));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => range / step <= 3.5)!;
}

function percent(value: number, { low, high }: BarAxis): string {
  return `${(100 * (value - low) / (high - low)).toFixed(2)}%`;
}
