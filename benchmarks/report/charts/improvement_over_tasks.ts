/** @file How likely each method's run scores higher than a baseline's, over all tasks. */
import { FEWEST_SEEDS } from "../../statistics/comparison.ts";
import { type Improvement, improvementsOf, winsOf } from "../../study/over_tasks.ts";
import { baselinesOf } from "../../study/pairs.ts";
import type { MethodLabel, Study } from "../../study/study.ts";
import { short } from "../drawing/curves.ts";
import { BESIDE_NAMES_HELD, SERIES, seriesOf } from "../drawing/dots.ts";
import { DIVERGED, type RunRow } from "../drawing/filters.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP } from "../drawing/means.ts";
import { sideBySide } from "../drawing/panels.ts";
import { methodScales } from "../drawing/scales.ts";
import type { Chart } from "./chart.ts";

/** Intervals are of all runs: a chart cannot draw runs again. */
const UNFILTERED = ["shownTasks", "shownSeeds", "shownRates"].map((name) => `${name} === null`).join(" && ");

/** Probability of improvement: Agarwal et al., arXiv 2108.13264, section 4.3. */
export const improvementOverTasks: Chart = {
  id: "improvement-over-tasks",
  title: "How likely does a method's run score higher than a baseline's?",
  caption:
    "The share of pairs of runs, one of each on the same task, that the method wins; equal scores are half a win. Small: " +
    "single tasks; large: their mean. At 50%, the line, neither is likelier to win. This says how often, and not by how " +
    "much. Lines are 95% intervals for new seeds on these tasks (stratified bootstrap, as in rliable); there are none " +
    `where a task has fewer than ${FEWEST_SEEDS} seeds, and none while a filter by task, seed or rate is on. Diverged runs ` +
    "count as what a model that learned nothing scores.",
  draw(study) {
    const found = improvementsOf(study), rows = found.flatMap((one) => rowsOf(study, one));
    if (rows.length === 0) return null;
    const columns = baselinesOf(study).map(nameOf).filter((name) =>
      rows.some(({ heading }) => heading === name)
    );
    const { color, shape } = methodScales(study, rows);
    const look = { ...color, legend: null };
    const x = {
      field: "winsMean",
      type: "quantitative",
      title: "Probability of a higher score",
      scale: { domain: [0, 1], nice: false, padding: 6 },
      axis: { grid: false, values: [0, 0.25, 0.5, 0.75, 1], format: "%" },
    };
    // The likeliest first, by the first baseline that it meets.
    const best = found.toSorted((a, b) => b.found.value - a.found.value);
    const sort = [...new Set(columns.flatMap((name) => best.filter(({ theirs }) => nameOf(theirs) === name)))]
      .map(({ ours, rank }) => seriesOf(ours, rank));
    const y = {
      field: "series",
      type: "nominal",
      title: null,
      sort: [...new Set(sort)],
      axis: { labelLimit: 0, grid: true, domain: false, ticks: false },
    };
    const quiet = { aria: false, tooltip: null }, groupby = ["series", "heading"];
    return sideBySide({
      title: improvementOverTasks.title,
      subtitle: "Small: single tasks; large: means over tasks with 95% intervals",
      rows,
      transform: [
        SERIES,
        { joinaggregate: [{ op: "values", field: "run", as: "all" }], groupby },
        ...meansOverRuns(["wins"], [...GROUP, ...groupby]),
        ONE_A_GROUP,
        {
          joinaggregate: [{ op: "count", as: "tasks" }, { op: "mean", field: "winsMean", as: "overall" }],
          groupby,
        },
        {
          window: [{ op: "row_number", as: "place" }],
          sort: [{ field: "task", order: "ascending" }],
          groupby,
        },
        { window: [{ op: "row_number", as: "inPanel" }], groupby: ["heading"] },
      ],
      width: BESIDE_NAMES_HELD,
      height: { step: 20 },
      layer: [
        {
          transform: [{ filter: "datum.inPanel === 1" }],
          mark: { type: "rule", color: "#666666", ...quiet },
          encoding: { x: { ...x, field: undefined, datum: 0.5 } },
        },
        {
          mark: {
            type: "point",
            filled: true,
            size: 16,
            opacity: 0.55,
            aria: false,
            tooltip: meansTooltip([{ heading: "Wins", field: "wins" }], [
              { heading: "Held", field: "heading", format: "" },
            ]),
          },
          encoding: { x, y, color: look },
        },
        {
          transform: [{ filter: `datum.place === 1 && isValid(datum.low) && ${UNFILTERED}` }],
          mark: { type: "rule", strokeWidth: 1.5, ...quiet },
          encoding: { x: { ...x, field: "low" }, x2: { field: "high" }, y, color: look },
        },
        {
          transform: [{ filter: "datum.place === 1" }, {
            calculate: "pluck(datum.all, 'run')",
            as: "runs",
          }],
          mark: {
            type: "point",
            filled: true,
            size: 75,
            opacity: 1,
            aria: false,
            tooltip: {
              expr: `{"Method": datum.series, "Held": datum.heading, "Tasks": datum.tasks, ` +
                `"Probability of a higher score": format(datum.overall, '.1%'), ` +
                `"Probability, 95%": isValid(datum.low) && ${UNFILTERED} ? ` +
                `format(datum.low, '.1%') + ' to ' + format(datum.high, '.1%') : '—'}`,
            },
          },
          encoding: { x: { ...x, field: "overall" }, y, color: look, shape: { ...shape, legend: null } },
        },
      ],
    }, { field: "heading", order: columns, x: "shared", y: "shared" });
  },
};

function nameOf({ label }: MethodLabel): string {
  return `against ${label}`;
}

interface Row extends RunRow {
  readonly heading: string;
  /** Share of the baseline's runs on the task that it scores higher than. */
  readonly wins: number;
  /** The ends of the interval over all tasks; null where there is none. */
  readonly low: number | null;
  readonly high: number | null;
}

function rowsOf(study: Study, { theirs, meetings, found: { interval } }: Improvement): Row[] {
  return meetings.flatMap((meeting) => {
    const { ours } = meeting, wins = winsOf(study, meeting);
    const runs = [
      ...ours.runs.map(({ id, config }) => ({ run: id, seed: config.seed })),
      ...ours.diverged.map((seed) => ({ run: DIVERGED, seed })),
    ];
    return runs.map(({ run, seed }, i) => ({
      task: ours.task.id,
      method: ours.method.label,
      rank: ours.rank,
      seed,
      rate: ours.learningRate,
      best: true,
      run,
      heading: nameOf(theirs),
      wins: short(wins[i]!),
      low: interval && short(interval.low),
      high: interval && short(interval.high),
    }));
  });
}
