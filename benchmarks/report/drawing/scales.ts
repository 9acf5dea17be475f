/** @file How marks tell methods and ranks apart: the same colour, shape and dash for a method in every chart. */
import { mean } from "../../statistics/statistics.ts";
import { leadingBaselines } from "../../study/pairs.ts";
import type { Cell, MethodLabel, Study } from "../../study/study.ts";

/** Characters of a label of which four side by side are wider than a chart. */
const LONG_LABEL = 30;

/**
 * Channels that give every method its own look. The domain is the methods that a chart can show; the legend has those
 * that are shown, see lay_out.ts.
 */
export function methodScales(study: Study, rows: readonly { readonly method: string }[]) {
  const present = new Set(rows.map(({ method }) => method));
  const methods = study.methods.filter(({ label }) => present.has(label));
  const domain = methods.map(({ label }) => label);
  const legend = {
    orient: "bottom",
    title: null,
    columns: domain.some((label) => label.length > LONG_LABEL) ? 2 : 4,
    symbolOpacity: 1,
    symbolStrokeWidth: 0.5,
    values: { expr: "drawn.method" },
  };
  const channel = (range: readonly string[]) => ({
    field: "method",
    type: "nominal",
    scale: { domain, range },
    legend,
  });
  return {
    color: channel(methods.map(({ color }) => color)),
    shape: channel(methods.map(({ shape }) => shape)),
  };
}

/** The dashes of a line of one method, as a property of its mark: legends have colours and shapes, that is enough. */
export function dashOf({ methods }: Study): { readonly strokeDash: { readonly expr: string } } {
  const dashes = Object.fromEntries(methods.map(({ label, dash }) => [label, dash]));
  return { strokeDash: { expr: `(${JSON.stringify(dashes)})[datum.method]` } };
}

const written = [
  // Logarithmic axes leave some of their ticks without a label.
  "datum.label === '' ? ''",
  "datum.value === 0 ? '0'",
  "abs(datum.value) >= 1e6 ? format(datum.value, '~s')",
  "abs(datum.value) < 1e-3 ? format(datum.value, '~e')",
];

/**
 * Numbers of an axis or a legend as tables have them, whatever their size: "0.002", "20", "16,384", "60M", "5e-5". A D3 format
 * alone takes its digits from the distance of ticks, and writes "2e+1" or "500m" for 20 and 0.5.
 */
export const NUMBERS = { labelExpr: `${written.join(" : ")} : format(datum.value, ',~r')` };

/** Methods as charts list them, as far as rows have them: the baselines, then the best first. */
export function methodOrder(study: Study, rows: readonly { readonly method?: string }[]): string[] {
  const present = new Set(rows.map(({ method }) => method));
  return methodsByResult(study).map(({ label }) => label).filter((label) => present.has(label));
}

/** The baselines, then the others by how far their scores lie above the mean of their tasks, at all ranks. */
export function methodsByResult(study: Study): MethodLabel[] {
  const scoreOf = ({ runs }: Cell) => mean(runs.map(({ outcome }) => outcome.score));
  const finished = study.cells.filter(({ runs }) => runs.length > 0);
  const usual = new Map(
    study.tasks.map((task) => [task, mean(finished.filter((cell) => cell.task === task).map(scoreOf))]),
  );
  const heights = new Map(study.methods.map((method) => {
    const own = finished.filter((cell) => cell.method === method);
    return [method, own.length > 0 ? mean(own.map((cell) => scoreOf(cell) - usual.get(cell.task)!)) : -2];
  }));
  const baselines = leadingBaselines(study);
  return study.methods.toSorted((a, b) =>
    Number(baselines.includes(b)) - Number(baselines.includes(a)) || heights.get(b)! - heights.get(a)!
  );
}

/** What rows without a rank are called. */
export const NO_RANK = "no rank";

/** The name of a row's rank, which `rankColor` takes its colours by. */
export function rankName(rank: number | null): string {
  return rank === null ? NO_RANK : `rank ${rank}`;
}

/** From light to dark, at even steps of viridis: told apart in grey too. */
const RANK_COLORS = ["#7ad151", "#42be71", "#22a884", "#21918c", "#2a788e", "#355f8d", "#414487", "#440154"];
const NO_RANK_COLOR = "#444444";

/** Curves of other ranks by colour, light for small ones: the same in all charts. Rows need the field "rankName". */
export function rankColor(study: Study, rows: readonly { readonly rank: number | null }[]) {
  const names = study.ranks.map((rank) => `rank ${rank}`);
  const darkest = RANK_COLORS.length - 1;
  const colors = names.map((_, i) =>
    RANK_COLORS[names.length === 1 ? darkest : Math.round(i / (names.length - 1) * darkest)]!
  );
  const hasNone = rows.some(({ rank }) => rank === null);
  return {
    field: "rankName",
    type: "nominal",
    scale: {
      domain: [...hasNone ? [NO_RANK] : [], ...names],
      range: [...hasNone ? [NO_RANK_COLOR] : [], ...colors],
    },
    legend: {
      orient: "bottom",
      title: null,
      symbolOpacity: 1,
      symbolType: "circle",
      values: { expr: "drawn.rankName" },
    },
  };
}
