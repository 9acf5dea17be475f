/**
 * @file The forest of differences as a picture and as a table for other programs: what can be saved of a report's first figure.
 *
 * Reports do it for all rows, and the page's script, which holds this file without its types, for what its reader chose:
 * nothing but types is imported here.
 */
import type { BarAxis } from "../bar.ts";
import type { Forest, ForestBar, ForestGroup } from "../forest.ts";

/** The forest's name in a page and among a report's files. */
export const FOREST = "differences";

const SIZE = 13, SMALL = 11, ROW = 22, BARS = 210, GAP = 14, PADDING = 8;
const INK = "#1d2329", MUTED = "#59636e", LINE = "#d9dfe5";
const COLORS: Readonly<Record<string, string>> = {
  better: "#00734f",
  worse: "#b34700",
  same: "#0b5cad",
  identical: "#0b5cad",
};

/** An SVG as wide as its texts need, dark on white, with text in any sans-serif face. */
export function forestToSvg({ title, baselines, axes, unit, groups }: Forest): string {
  const rows = groups.flatMap((group) => group.rows);
  const bars = (i: number) => rows.flatMap((row) => row.bars[i] ?? []);
  const ranks = new Set(groups.flatMap((group) => group.rows.flatMap((row) => row.rank ?? [])));
  const nameOf = (group: ForestGroup, { method, rank }: ForestGroup["rows"][number]) =>
    rank !== null && ranks.size > 1 && group.title === "" ? `${method}, rank ${rank}` : method;
  const names = groups.flatMap((group) => group.rows.map((row) => nameOf(group, row)));
  const first = widest(["Method", ...names], SIZE, true) + GAP;
  const columns = baselines.map((label, i) => {
    const heading = `against ${label}`;
    const drawn = Math.max(BARS, widest([heading], SIZE, true));
    const numbers = widest(["Difference", ...bars(i).map(numbersOf)], SIZE);
    const verdict = widest(["Verdict", ...bars(i).map(verdictOf)], SIZE);
    return { heading, drawn, numbers, verdict, width: drawn + numbers + verdict + 3 * GAP };
  });
  const left = columns.map((_, i) =>
    PADDING + first + columns.slice(0, i).reduce((sum, { width }) => sum + width, 0)
  );
  const notes = [
    `Difference of scores${
      unit === "tasks" ? ", mean over tasks; small dots are single tasks" : ""
    }. Lines are 95% intervals; an arrow cuts one off.`,
    `The band is the margin: within ${axes[0]?.margin ?? 0} either way is the same. ` +
    `Behind a verdict stands on how many ${unit} the method scores higher.`,
  ];
  const width = Math.ceil(
    Math.max(
      2 * PADDING + first + columns.reduce((sum, { width }) => sum + width, 0) - GAP,
      2 * PADDING + widest([title], 16, true),
      2 * PADDING + widest(notes, SMALL),
    ),
  );
  const parts: string[] = [text(PADDING, PADDING + 16, title, { size: 16, weight: "bold" })];
  let y = PADDING + 16 + GAP + 18;
  parts.push(text(PADDING, y + 14, "Method", { weight: "bold" }));
  for (const [i, { heading, drawn, numbers }] of columns.entries()) {
    const x = left[i]!;
    parts.push(
      text(x, y, heading, { weight: "bold" }),
      ...ticksToSvg(axes[i]!, x, drawn, y + 14),
      text(x + drawn + GAP, y + 14, "Difference", { weight: "bold" }),
      text(x + drawn + numbers + 2 * GAP, y + 14, "Verdict", { weight: "bold" }),
    );
  }
  y += 20;
  const rule = (color: string) => line(PADDING, y, width - PADDING, y, color, 1);
  parts.push(rule(MUTED));
  for (const group of groups) {
    if (group.title !== "") {
      parts.push(
        text(PADDING, y + ROW - 6, group.title, { size: 12, weight: "bold", color: MUTED }),
      );
      y += ROW;
      parts.push(rule(LINE));
    }
    for (const row of group.rows) {
      const middle = y + ROW / 2, weight = baselines.includes(row.method) ? "bold" : "normal";
      parts.push(text(PADDING, middle + 5, nameOf(group, row), { weight }));
      for (const [i, bar] of row.bars.entries()) {
        if (bar === null) continue;
        const { drawn, numbers } = columns[i]!, x = left[i]!;
        parts.push(
          ...barToSvg(bar, axes[i]!, x, drawn, middle),
          text(x + drawn + GAP, middle + 5, numbersOf(bar)),
          text(x + drawn + numbers + 2 * GAP, middle + 5, verdictOf(bar), { color: colorOf(bar) }),
        );
      }
      y += ROW;
      parts.push(rule(LINE));
    }
  }
  for (const note of notes) {
    y += 17;
    parts.push(text(PADDING, y, note, { size: SMALL, color: MUTED }));
  }
  const height = Math.ceil(y + PADDING);
  return `<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" role="img" aria-label="${
    escaped(title)
  }"><rect width="${width}" height="${height}" fill="white"/>${parts.join("")}</svg>`;
}

/** A line a comparison: task (empty over all of them), method, rank, difference, interval, verdict, wins, its group. */
export function forestToCsv({ baselines, unit, groups }: Forest): string {
  const rows = groups.flatMap(({ task, title, rows }) =>
    rows.flatMap(({ method, rank, bars }) =>
      bars.flatMap((bar, i) => {
        if (bar === null) return [];
        const { mean, interval, verdict, wins, of } = bar;
        return [[
          task,
          method,
          rank,
          baselines[i],
          mean,
          interval?.low,
          interval?.high,
          verdict,
          wins,
          of,
          unit,
          title,
        ]];
      })
    )
  );
  const names = [
    "task",
    "method",
    "rank",
    "against",
    "difference",
    "low",
    "high",
    "verdict",
    "wins",
    "of",
    "unit",
    "group",
  ];
  const cell = (value: unknown) => {
    const written = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
  };
  return [names, ...rows].map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

function numbersOf({ difference, between }: ForestBar): string {
  return between === "" ? difference : `${difference} (${between})`;
}

function verdictOf({ told, wins, of }: ForestBar): string {
  return `${told}, ${wins} of ${of}`;
}

function colorOf({ verdict }: ForestBar): string {
  return COLORS[verdict] ?? MUTED;
}

/** As `drawBar` of bar.ts, in pixels and with colours of its own. */
function barToSvg(bar: ForestBar, axis: BarAxis, left: number, width: number, y: number): string[] {
  const { low, high, margin } = axis, color = colorOf(bar), { mean, interval, verdict, dots = [] } = bar;
  const place = (value: number) =>
    round(left + width * (Math.min(high, Math.max(low, value)) - low) / (high - low));
  const x = place(mean), isSame = verdict === "same" || verdict === "identical";
  const arrow = (d: string) => `<path d="${d}" fill="none" stroke="${color}" stroke-width="2"/>`;
  const right = left + width;
  return [
    `<rect x="${place(-margin)}" y="${y - 10}" width="${
      round(place(margin) - place(-margin))
    }" height="20" fill="#e6e8ea"/>`,
    line(place(0), y - 10, place(0), y + 10, MUTED, 1),
    ...dots.map((one) => `<circle cx="${place(one)}" cy="${y}" r="2" fill="${color}" opacity="0.4"/>`),
    ...interval ? [line(place(interval.low), y, place(interval.high), y, color, 2)] : [],
    ...interval && interval.low < low
      ? [arrow(`M${left + 7},${y - 5}L${left},${y}L${left + 7},${y + 5}`)]
      : [],
    ...interval && interval.high > high
      ? [arrow(`M${right - 7},${y - 5}L${right},${y}L${right - 7},${y + 5}`)]
      : [],
    isSame
      ? `<rect x="${round(x - 4.5)}" y="${y - 4.5}" width="9" height="9" fill="${color}"/>`
      : `<circle cx="${x}" cy="${y}" r="4.5" fill="${
        verdict === "undecided" ? "white" : color
      }" stroke="${color}" stroke-width="1.5"/>`,
  ];
}

function ticksToSvg({ low, high, ticks }: BarAxis, left: number, width: number, y: number): string[] {
  return ticks.map(({ value, told }) => {
    const share = (value - low) / (high - low);
    const anchor = share < 0.08 ? "start" : share > 0.92 ? "end" : "middle";
    return text(round(left + share * width), y, told, { size: SMALL, color: MUTED, anchor });
  });
}

function line(x1: number, y1: number, x2: number, y2: number, color: string, width: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${color}" stroke-width="${width}"/>`;
}

function text(
  x: number,
  y: number,
  content: string,
  { size = SIZE, weight = "normal", color = INK, anchor = "start" }: {
    readonly size?: number;
    readonly weight?: string;
    readonly color?: string;
    readonly anchor?: string;
  } = {},
): string {
  return `<text x="${x}" y="${y}" font-size="${size}px" font-weight="${weight}" fill="${color}" text-anchor="${anchor}">${
    escaped(content)
  }</text>`;
}

/** Pixels that the longest text takes in a wide face such as DejaVu Sans: nothing here can measure it. */
function widest(texts: readonly string[], size: number, isBold = false): number {
  return Math.ceil(Math.max(...texts.map(({ length }) => length)) * size * (isBold ? 0.64 : 0.6));
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}
