/** @file Loss curves as an SVG of our own: small enough to be drawn again every other second. */
import type { Point } from "../../training/run.ts";
import { type Markup, markup } from "../report/markup.ts";

/** One line of a chart. */
export interface Curve {
  /** Shown where a pointer rests on it. */
  readonly name: string;
  readonly points: readonly Point[];
  readonly color: string;
  /** Lengths of dashes and gaps. */
  readonly dash: readonly number[];
  /** The line of the running run: thick, above all others. */
  readonly isLive: boolean;
  /** Where false, the line does not stretch the axes: a diverged run would flatten all others. */
  readonly counts: boolean;
}

const WIDTH = 480, HEIGHT = 300;
/** Larger losses are not drawn, and those nearer to 0 than its inverse are 0: differences of all others are numbers. */
const LARGEST = 1e100;
/** From so many lines on they are drawn thin. */
const CROWD = 12;
const PLOT = { left: 52, right: WIDTH - 10, top: 10, bottom: HEIGHT - 40 };

/**
 * Draws curves by step. Losses are on a logarithmic axis where all of them are above 0.
 *
 * @param title names the chart for those who don't see it, and its parts
 * @param steps right end of the axis
 * @returns null where there is no point to draw
 */
export function drawLosses(title: string, curves: readonly Curve[], steps: number): Markup | null {
  const drawn = curves.map((curve) => ({
    ...curve,
    points: curve.points.filter(({ value }) => Math.abs(value) <= LARGEST)
      .map(({ step, value }) => ({ step, value: Math.abs(value) < 1 / LARGEST ? 0 : value })),
  })).filter(({ points }) => points.length > 0).toSorted((a, b) => Number(a.isLive) - Number(b.isLive));
  if (drawn.length === 0) return null;
  const counted = drawn.some(({ counts }) => counts) ? drawn.filter(({ counts }) => counts) : drawn;
  const values = counted.flatMap(({ points }) => points.map(({ value }) => value));
  const axis = axisOf(values);
  const last = Math.max(1, steps, ...drawn.flatMap(({ points }) => points.at(-1)!.step));
  const x = (step: number) => round(PLOT.left + (PLOT.right - PLOT.left) * step / last);
  const y = (value: number) => round(PLOT.bottom - (PLOT.bottom - PLOT.top) * axis.place(value));
  const clip = `clip-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  const { left, right, top, bottom } = PLOT;
  const horizontal = axis.ticks.map((tick) =>
    markup`<line class="grid" x1="${left}" x2="${right}" y1="${y(tick)}" y2="${y(tick)}"/>
<text class="tick" x="${left - 6}" y="${y(tick) + 4}" text-anchor="end">${formatTick(tick)}</text>
`
  );
  const vertical = linearTicks(0, last, 5).filter(Number.isInteger).map((tick) =>
    markup`<line class="axis" x1="${x(tick)}" x2="${x(tick)}" y1="${bottom}" y2="${bottom + 4}"/>
<text class="tick" x="${x(tick)}" y="${bottom + 18}" text-anchor="middle">${tick}</text>
`
  );
  const lines = drawn.map(({ name, points, color, dash, isLive }) => {
    const end = points.at(-1)!, [endX, endY] = [x(end.step), y(end.value)];
    const dot = markup`<circle cx="${endX}" cy="${endY}" r="${isLive ? 4 : 2}" fill="${color}"/>`;
    const places = points.map(({ step, value }) => `${x(step)},${y(value)}`).join(" ");
    return markup`<g class="${isLive ? "live" : "past"}"><title>${name}</title>${
      isLive ? markup`<polyline class="halo" points="${places}"/>` : null
    }
<polyline points="${places}" stroke="${color}" stroke-dasharray="${isLive ? "none" : dash.join(" ")}"/>${
      isLive || points.length === 1 ? dot : null
    }</g>
`;
  });
  const box = `0 0 ${WIDTH} ${HEIGHT}`,
    label = describe(title, drawn),
    [width, height] = [right - left, bottom - top];
  return markup`<svg class="losses" viewBox="${box}" role="img" aria-label="${label}">
<clipPath id="${clip}"><rect x="${left}" y="${top - 3}" width="${width + 5}" height="${
    height + 6
  }"/></clipPath>
${horizontal}${vertical}
<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
<text class="tick" x="${(left + right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">Step</text>
<g clip-path="url(#${clip})" class="${drawn.length > CROWD ? "crowded" : "few"}">
${lines}</g>
</svg>`;
}

/** What the chart shows, in a sentence. */
function describe(title: string, drawn: readonly Curve[]): string {
  const live = drawn.find(({ isLive }) => isLive), past = drawn.filter(({ isLive }) => !isLive).length;
  const others = past === 1 ? "1 other run" : `${past} other runs`;
  if (!live) return `${title} by step of ${past === 1 ? "1 run" : `${past} runs`}`;
  const { step, value } = live.points.at(-1)!;
  return `${title} by step: the running run has ${formatTick(value)} at step ${step}, beside ${others}`;
}

interface Axis {
  readonly ticks: readonly number[];
  /** From 0 at the lower end to 1 at the upper one; beyond these for values that lie outside. */
  place(value: number): number;
}

function axisOf(values: readonly number[]): Axis {
  let low = Infinity, high = -Infinity;
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const isLogarithmic = low > 0;
  if (high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high))) {
    const margin = 0.1 * Math.abs(low) || 1;
    [low, high] = [low - margin, high + margin];
  }
  const scale = isLogarithmic ? Math.log : (value: number) => value;
  const [start, range] = [scale(low), scale(high) - scale(low)];
  // A loss of 0 on a logarithmic axis lies below all of it.
  const place = (value: number) => Math.min(10, Math.max(-10, (scale(value) - start) / range));
  const logarithmic = isLogarithmic ? logarithmicTicks(low, high) : [];
  return { ticks: logarithmic.length >= 3 ? logarithmic : linearTicks(low, high, 5), place };
}

/** 1, 2 and 5 times powers of ten, or the powers alone where those are many. */
function logarithmicTicks(low: number, high: number): number[] {
  const powers = Array.from(
    { length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
    (_, i) => Math.floor(Math.log10(low)) + i,
  );
  const inside = (factors: readonly number[]) =>
    powers.flatMap((power) => factors.map((factor) => factor * 10 ** power))
      .filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
  const fine = inside([1, 2, 5]);
  if (fine.length <= 8) return fine;
  const coarse = inside([1]), every = Math.ceil(coarse.length / 8);
  return coarse.filter((_, i) => i % every === 0);
}

/** Round numbers from `low` to `high`, about as many as wanted. */
export function linearTicks(low: number, high: number, wanted: number): number[] {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * (1 - 1e-9))!;
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Three digits: "0.05", "1.25", "2e-9". */
function formatTick(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** A tenth of a unit is less than a pixel. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
