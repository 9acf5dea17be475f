/** @file How far each method is from a baseline over all tasks. */
import { FEWEST_TASKS } from "../../statistics/pooled.ts";
import { mean } from "../../statistics/statistics.ts";
import { baselinesOf, meetingBaselines, pairedBySeed } from "../../study/pairs.ts";
import type { MethodLabel, Study } from "../../study/study.ts";
import { short } from "../drawing/curves.ts";
import { BESIDE_NAMES_HELD, SERIES, seriesChannel } from "../drawing/dots.ts";
import { DIVERGED, type RunRow } from "../drawing/filters.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP, quantile } from "../drawing/means.ts";
import { sideBySide } from "../drawing/panels.ts";
import { methodScales, NUMBERS } from "../drawing/scales.ts";
import type { Chart } from "./chart.ts";

/** Marks of a method's mean over tasks, one each. */
const OVERALL = { filter: "datum.place === 1" };

/** Each task's difference, and the mean over tasks with its interval. */
export const differenceOverTasks: Chart = {
  id: "difference-over-tasks",
  title: "How far is each method from its baselines, over all tasks?",
  caption:
    "Differences of test scores on the same seeds: small those of single tasks (mean over seeds), large their mean with its " +
    `95% interval (Student's t over tasks, for tasks like these; from ${FEWEST_TASKS} tasks on). The grey band ` +
    "is the margin of “same”. Verdicts, corrected for the number of methods, are in “Over all tasks”.",
  draw(study) {
    const rows = rowsOf(study);
    if (rows.length === 0) return null;
    const columns = baselinesOf(study).map(nameOf).filter((name) =>
      rows.some(({ heading }) => heading === name)
    );
    const { color, shape } = methodScales(study, rows);
    const look = { ...color, legend: null };
    const x = {
      field: "differenceMean",
      type: "quantitative",
      title: "Difference of scores",
      scale: { nice: false, padding: 10 },
      axis: { grid: false, tickCount: 6, ...NUMBERS, labelOverlap: true },
    };
    const y = seriesChannel(study), quiet = { aria: false, tooltip: null };
    const first = { filter: "datum.inPanel === 1" };
    const groupby = ["series", "heading"];
    return sideBySide({
      title: differenceOverTasks.title,
      subtitle: "Small: single tasks; large: means over tasks with 95% intervals",
      rows,
      transform: [
        SERIES,
        { joinaggregate: [{ op: "values", field: "run", as: "all" }], groupby },
        ...meansOverRuns(["difference"], [...GROUP, ...groupby]),
        ONE_A_GROUP,
        {
          joinaggregate: [
            { op: "count", as: "tasks" },
            { op: "mean", field: "differenceMean", as: "overall" },
            { op: "stdev", field: "differenceMean", as: "deviation" },
          ],
          groupby,
        },
        {
          window: [{ op: "row_number", as: "place" }],
          sort: [{ field: "task", order: "ascending" }],
          groupby,
        },
        { window: [{ op: "row_number", as: "inPanel" }], groupby: ["heading"] },
        {
          calculate: `datum.tasks >= ${FEWEST_TASKS} ? ${
            quantile("(datum.tasks - 1)")
          } * datum.deviation / sqrt(datum.tasks) : 0`,
          as: "half",
        },
        { calculate: "datum.overall - datum.half", as: "low" },
        { calculate: "datum.overall + datum.half", as: "high" },
      ],
      width: BESIDE_NAMES_HELD,
      height: { step: 20 },
      layer: [
        {
          transform: [first],
          mark: { type: "rect", color: "#888888", opacity: 0.18, ...quiet },
          encoding: { x: { ...x, field: undefined, datum: -study.margin }, x2: { datum: study.margin } },
        },
        {
          transform: [first],
          mark: { type: "rule", color: "#666666", ...quiet },
          encoding: { x: { ...x, field: undefined, datum: 0 } },
        },
        {
          mark: {
            type: "point",
            filled: true,
            size: 16,
            opacity: 0.55,
            aria: false,
            tooltip: meansTooltip([{ heading: "Difference", field: "difference" }], [
              { heading: "Held", field: "heading", format: "" },
            ]),
          },
          encoding: { x, y, color: look },
        },
        {
          transform: [OVERALL],
          mark: { type: "rule", strokeWidth: 1.5, ...quiet },
          encoding: { x: { ...x, field: "low" }, x2: { field: "high" }, y, color: look },
        },
        {
          transform: [OVERALL, { calculate: "pluck(datum.all, 'run')", as: "runs" }],
          mark: {
            type: "point",
            filled: true,
            size: 75,
            opacity: 1,
            aria: false,
            tooltip: {
              expr: `{"Method": datum.series, "Held": datum.heading, "Tasks": datum.tasks, ` +
                `"Difference, mean over tasks": format(datum.overall, '+.3f'), ` +
                `"Difference, 95%": datum.half > 0 ? format(datum.low, '+.3f') + ' to ' + format(datum.high, '+.3f') : '—'}`,
            },
          },
          encoding: { x: { ...x, field: "overall" }, y, color: look, shape: { ...shape, legend: null } },
        },
      ],
    }, { field: "heading", order: columns, x: "shared", y: "shared" });
  },
};

/** A panel's heading: that of a method alone would be a heading of its own marks. */
function nameOf({ label }: MethodLabel): string {
  return `against ${label}`;
}

/** A run with its difference to the baseline's score on the same seed, of what meets on enough tasks. */
function rowsOf(study: Study): (RunRow & { readonly heading: string; readonly difference: number })[] {
  const groups = Map.groupBy(
    meetingBaselines(study),
    ({ ours, theirs }) => JSON.stringify([ours.rank, ours.method.key, theirs.method.key]),
  );
  return [...groups.values()].flatMap((pairs) => {
    const met = pairs.map((pair) => ({ ...pair, seeds: pairedBySeed(study, [pair.ours, pair.theirs]) }))
      .filter(({ seeds }) => seeds.length > 0);
    if (met.length < FEWEST_TASKS) return [];
    return met.flatMap(({ ours, theirs, seeds }) =>
      seeds.map(({ seed, scores: [mine, other] }) => ({
        task: ours.task.id,
        method: ours.method.label,
        rank: ours.rank,
        seed,
        rate: ours.learningRate,
        best: true,
        run: ours.runs.find(({ config }) => config.seed === seed)?.id ?? DIVERGED,
        heading: nameOf(theirs.method),
        difference: short(mean(mine!) - mean(other!)),
      }))
    );
  });
}
