/** @file The score of each method by rank, with full fine-tuning as a band behind. */
import type { Chart } from "./chart.ts";
import { short } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import { cutEnds, cutInterval } from "../drawing/intervals.ts";
import { meansOverRuns, meansTooltip, ONE_A_GROUP, runTooltip } from "../drawing/means.ts";
import {
  extentOf,
  GREY,
  methodPanels,
  MOST_CURVES,
  OWN,
  reference,
  sameExtent,
  taskPanels,
} from "../drawing/panels.ts";
import { dashOf, methodOrder, methodScales } from "../drawing/scales.ts";

/** Score by rank: means over seeds with their intervals, each run a faint point. */
export const scoreByRank: Chart = {
  id: "score-by-rank",
  title: "How does the score change with rank?",
  caption:
    "Mean test score over seeds with its 95% interval for new seeds (Student's t). Small, faint marks are " +
    "single runs. An arrow cuts off an interval that is far wider than the range of all scores; a single " +
    "run has no interval. Methods without a rank, such as full fine-tuning, are a line with a band; the " +
    "dotted line is the base checkpoint before fine-tuning. Points are moved a little sideways, to be told " +
    "apart. Of many methods each has a panel, with LoRA's means behind in grey.",
  draw(study) {
    const rows = runRows(study, (run) => ({ kind: "run", score: short(run.outcome.score) }));
    if (rows.length === 0) return null;
    const before = study.before.map(({ task, result }) => ({
      kind: "before",
      beside: true,
      task: task.id,
      score: short(result.score),
    }));
    const ranked = methodOrder(study, rows.filter(({ rank }) => rank !== null));
    const many = methodOrder(study, rows).length > MOST_CURVES;
    const aside = many
      ? "0"
      : `0.07 * (indexof(${JSON.stringify(ranked)}, datum.method) - ${(ranked.length - 1) / 2})`;
    const at = study.ranks.map((rank) => Math.log2(rank));
    const x = {
      field: "x",
      type: "quantitative",
      title: "Rank",
      // Without ranks there is still a band to show: any domain will do.
      scale: {
        domain: at.length > 0 ? [Math.min(...at) - 0.4, Math.max(...at) + 0.4] : [-0.4, 0.4],
        nice: false,
        zero: false,
      },
      axis: { values: at, labelExpr: "format(pow(2, datum.value), 'd')", grid: false },
    };
    const y = {
      field: "score",
      type: "quantitative",
      title: "Score",
      scale: { zero: false, nice: false, padding: 6 },
      axis: { tickCount: 5 },
    };
    const mean = { ...y, field: "scoreMean" }, low = { ...y, field: "low" }, high = { field: "high" };
    const { color, shape } = methodScales(study, rows);
    const look = many ? { ...color, legend: null } : color;
    const points = { filter: "datum.kind === 'run' && isValid(datum.rank)" };
    const bands = { filter: "datum.kind === 'run' && !isValid(datum.rank)" };
    const base = { filter: "datum.kind === 'before'" };
    const own = many ? [OWN] : [];
    const numbers = meansTooltip([{ heading: "Score", field: "score" }]);
    const quiet = { aria: false, tooltip: null };
    const layer = [
      sameExtent(y),
      ...before.length > 0
        ? [{
          transform: [base],
          mark: { type: "rule", strokeDash: [1, 3], strokeWidth: 1.5, color: "#666666", ...quiet },
          encoding: { y },
        }, {
          transform: [base],
          mark: {
            type: "text",
            text: "before",
            align: "left",
            baseline: "bottom",
            dx: 4,
            dy: -2,
            fontSize: 11,
            color: "#666666",
            ...quiet,
          },
          encoding: { x: { value: 0 }, y },
        }]
        : [],
      ...many
        ? [{
          transform: [reference(study), points, ONE_A_GROUP],
          mark: { type: "line", strokeWidth: 1.5, color: GREY, ...quiet },
          encoding: { x, y: mean, detail: { field: "series" } },
        }]
        : [],
      {
        transform: [...own, bands, ONE_A_GROUP],
        mark: { type: "rect", opacity: 0.13, ...quiet },
        encoding: { y: low, y2: high, color: look },
      },
      {
        transform: [...own, bands, ONE_A_GROUP],
        mark: { type: "rule", strokeWidth: 2, aria: false, tooltip: numbers },
        encoding: { y: mean, color: look },
      },
      {
        transform: [...own, points, ONE_A_GROUP],
        mark: { type: "line", strokeWidth: 2, ...dashOf(study), ...quiet },
        encoding: { x, y: mean, color: look, detail: { field: "series" } },
      },
      {
        transform: [...own, points, ONE_A_GROUP],
        mark: { type: "rule", strokeWidth: 1.5, ...quiet },
        encoding: { x, y: low, y2: high, color: look },
      },
      ...cutEnds("y", [...own, points, ONE_A_GROUP], y, { x, color: look }),
      ...cutEnds("y", [...own, bands, ONE_A_GROUP], y, { x: { value: "width" }, color: look }, {
        xOffset: -8,
      }),
      {
        transform: [...own, points],
        mark: {
          type: "point",
          filled: true,
          size: 14,
          opacity: 0.45,
          aria: false,
          tooltip: runTooltip([{ heading: "Score", field: "score" }]),
        },
        encoding: { x, y, color: look },
      },
      {
        transform: [...own, points, ONE_A_GROUP],
        mark: {
          type: "point",
          filled: true,
          size: many ? 40 : 70,
          opacity: 1,
          aria: false,
          tooltip: numbers,
        },
        encoding: { x, y: mean, color: look, ...many ? {} : { shape } },
      },
    ];
    const drawing = {
      title: scoreByRank.title,
      subtitle: "Means over seeds with 95% intervals; small: single runs",
      rows: [...before, ...rows],
      transform: [
        ...meansOverRuns(["score"], ["kind", "task", "method", "rank", "rate", "best"]),
        { calculate: `log(datum.rank) / LN2 + ${aside}`, as: "x" },
        // Two seeds can have an interval as long as the sheet.
        ...cutInterval("score", ["task"], "1"),
        ...extentOf(["score", "low", "high"]),
        // A line joins the rates that speak for a method, and otherwise points at one rate.
        { calculate: "shownRates === null ? 'best' : datum.rate", as: "series" },
      ],
      layer,
    };
    return many ? methodPanels(study, drawing) : taskPanels(study, drawing);
  },
};
