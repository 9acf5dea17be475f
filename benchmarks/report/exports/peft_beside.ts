/** @file What a report shows of results from PEFT's method comparison: one chart with ours and theirs, a table, and caveats. */
import type { Registries } from "../../../training/configuration.ts";
import { mean, medianOfMeasured } from "../../statistics/statistics.ts";
import {
  formatBytes,
  formatCount,
  formatLargeBytes,
  formatNumber,
  formatRank,
  formatSignificant,
} from "../format.ts";
import type { Drawing } from "../drawing/lay_out.ts";
import { sideBySide } from "../drawing/panels.ts";
import { paretoFront } from "../drawing/pareto.ts";
import { NUMBERS } from "../drawing/scales.ts";
import type { MethodLabel, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";
import { styleOf } from "../../study/styles.ts";
import type { PeftRun, PeftRuns } from "./from_peft.ts";

const MEMORY = "Memory, MiB", STEP = "Step, ms";
const OURS = "this report", THEIRS = "PEFT's files";
/** What a method of theirs is drawn as that we don't have. */
const OTHER: MethodLabel = {
  key: "other",
  optimizer: "other",
  label: "Others of PEFT",
  settings: "",
  color: "#999999",
  shape: "circle",
  dash: [1, 0],
};

/** A point of the chart: a method at a rank of ours, or a run of theirs. */
interface Point {
  /** What was learned with which model: only points of one group can be ranked. */
  readonly group: string;
  readonly source: typeof OURS | typeof THEIRS;
  /** Of ours, what the reader's filters act on: theirs stay. */
  readonly task?: string;
  readonly method?: string;
  readonly rank?: number | null;
  readonly name: string;
  readonly look: MethodLabel;
  readonly score: number;
  readonly costs: Readonly<Partial<Record<typeof MEMORY | typeof STEP, number>>>;
}

/** The chart's registry entry, so to speak: it is drawn only where there are such results. */
export const scoreBesidePeft = {
  id: "score-beside-peft",
  title: "Score against cost, beside PEFT's results",
  caption:
    "Filled points are this report's methods, means over seeds; hollow ones are runs of Hugging Face PEFT's method " +
    "comparison. Lines are Pareto fronts, those that nothing beats at less cost, one for each data set and model: across " +
    "these, scores and costs cannot be ranked. Memory is the most bytes of live tensors here and the most bytes that " +
    "PyTorch's allocator had reserved there, which is more than lives. Times are of the machines that the tables name.",
  /** Null where there is nothing of theirs to show. */
  draw(study: Study, runs: readonly PeftRun[], optimizers: Registries["optimizers"]): Drawing | null {
    if (runs.length === 0) return null;
    const points = [...oursOf(study), ...theirsOf(study, runs, optimizers)];
    const columns = [MEMORY, STEP] as const;
    const groups = unique(points.map(({ group }) => group));
    const rows = columns.flatMap((column) =>
      points.flatMap(({ costs, look, ...point }) => {
        const cost = costs[column];
        return cost === undefined || cost <= 0 ? [] : [{ ...point, column, cost, look: look.label }];
      })
    );
    const methods = unique(points.map(({ look }) => look));
    const domain = methods.map(({ label }) => label);
    const legend = { orient: "bottom", title: null, columns: 3, symbolOpacity: 1 };
    const color = {
      field: "look",
      type: "nominal",
      scale: { domain, range: methods.map((method) => method.color) },
      legend,
    };
    const shape = {
      field: "look",
      type: "nominal",
      scale: { domain, range: methods.map((method) => method.shape) },
      legend,
    };
    const x = {
      field: "cost",
      type: "quantitative",
      title: null,
      scale: { type: "log", nice: false, zero: false, padding: 24 },
      axis: { grid: false, tickCount: 5, ...NUMBERS, labelOverlap: true },
    };
    const y = { field: "score", type: "quantitative", title: "Score", scale: { zero: false, padding: 12 } };
    const front = {
      field: "group",
      type: "nominal",
      scale: { domain: groups, range: groups.map((_, i) => [[1, 0], [6, 3], [2, 2], [9, 2, 2, 2]][i % 4]) },
      legend: {
        orient: "top",
        title: "Front of",
        columns: 2,
        symbolType: "stroke",
        symbolSize: 500,
        symbolStrokeColor: "#555555",
      },
    };
    const tooltip = ["name", "source", "group", "column", "cost", "score"].map((field) => ({ field }));
    const marks = (source: string, filled: boolean) => ({
      transform: [{ filter: `datum.source === ${JSON.stringify(source)}` }],
      mark: { type: "point", filled, size: 80, opacity: filled ? 1 : 0.9, strokeWidth: 2 },
      encoding: { x, y, color, shape, tooltip },
    });
    return sideBySide({
      title: this.title,
      subtitle: `Filled: ${OURS}. Hollow: ${THEIRS}.`,
      rows,
      rates: "every",
      transform: paretoFront("cost", "score", ["group", "column"]),
      width: 400,
      height: 340,
      layer: [
        {
          transform: [{ filter: "datum.front" }],
          mark: { type: "line", interpolate: "step-after", color: "#555555", strokeWidth: 1.5 },
          encoding: { x, y, strokeDash: front, order: { field: "cost", type: "quantitative" } },
        },
        marks(THEIRS, false),
        marks(OURS, true),
      ],
    }, { field: "column", order: columns, orient: "bottom", x: "independent", y: "shared" });
  },
};

function oursOf(study: Study): Point[] {
  return study.cells.filter((cell) => cell.runs.length > 0).map((cell) => {
    const [{ config }] = cell.runs as [typeof cell.runs[number]];
    const costs = cell.runs.map((run) => run.outcome.cost);
    const peakBytes = medianOfMeasured(costs.map((cost) => cost.peakBytes));
    const stepMs = medianOfMeasured(costs.map((cost) => cost.medianStepMs));
    return {
      group: groupOf(cell.task.title + (config.scoreOn === "test" ? "" : " (validation)"), config.model.id),
      source: OURS,
      name: `${cell.method.label}${cell.rank === null ? "" : `, rank ${cell.rank}`}, ${
        formatCount(cell.runs.length, "seed")
      }`,
      task: cell.task.id,
      method: cell.method.label,
      rank: cell.rank,
      look: cell.method,
      score: mean(cell.runs.map((run) => run.outcome.score)),
      costs: {
        ...peakBytes !== null && { [MEMORY]: peakBytes / 1024 ** 2 },
        ...stepMs !== null && { [STEP]: stepMs },
      },
    };
  });
}

function theirsOf(study: Study, runs: readonly PeftRun[], optimizers: Registries["optimizers"]): Point[] {
  const looks = new Map<string | null, MethodLabel>();
  for (const id of new Set(runs.map(({ method }) => method))) {
    const module = Object.values(optimizers).find((known) => known.id === id);
    const own = study.methods.find((method) => method.optimizer === id);
    const made = module &&
      { key: module.id, optimizer: module.id, label: module.title, settings: "", ...styleOf(module.id, 0) };
    looks.set(id, own ?? made ?? OTHER);
  }
  return runs.map((run) => ({
    group: groupOf(run.data, run.model),
    source: THEIRS,
    name: run.experiment,
    look: looks.get(run.method)!,
    score: run.score,
    costs: { [MEMORY]: run.memoryMax / 1024 ** 2, ...run.stepMs !== null && { [STEP]: run.stepMs } },
  }));
}

/** Names of models differ in their owner and in capitals: "meta-llama/Llama-3.2-3B" is "llama-3.2-3b". */
function groupOf(data: string, model: string): string {
  return `${data}, ${model.slice(model.lastIndexOf("/") + 1).toLowerCase()}`;
}

/** What each of their files says. Null where there are none. */
export function peftTable(runs: readonly PeftRun[]): Table | null {
  if (runs.length === 0) return null;
  return {
    title: "Results of PEFT's method comparison",
    note:
      "As their files say, a run each. Memory is what PyTorch's allocator had reserved, less what it had at the start: the " +
      "most at once, and the mean over steps. Peaks in the table of costs are bytes of live tensors, which are fewer than " +
      "those reserved. Files of this harness say peaks of live tensors in both columns. A step is the mean of the training's " +
      "own time; the training's seconds hold their test too.",
    columns: [
      "Experiment",
      "Type",
      "Rank",
      "Data",
      "Model",
      "Score",
      "Memory, most",
      "mean",
      "Step, ms",
      "Training, s",
      "Trained parameters",
      "On",
      "File",
    ],
    rows: runs.map((run) => [
      run.experiment,
      run.type,
      formatRank(run.rank),
      run.data,
      run.model,
      formatNumber(run.score),
      formatMemory(run.memoryMax),
      formatMemory(run.memoryAverage),
      run.stepMs === null ? "—" : formatSignificant(run.stepMs),
      formatSignificant(run.trainSeconds),
      run.trainableParameters === null ? "—" : String(run.trainableParameters),
      run.accelerator,
      run.file,
    ]),
  };
}

/** What to hold against them, and which files were left out. */
export function peftCaveats({ runs, faults }: PeftRuns): string[] {
  return [
    ...runs.length > 0
      ? [
        `${formatCount(runs.length, "result")} of PEFT's method comparison ${
          runs.length === 1 ? "is" : "are"
        } shown beside this sweep's: nobody here has made them, and data, models, machines and what is counted as memory differ.`,
      ]
      : [],
    ...faults.map((fault) => `${fault}: left out.`),
  ];
}

function formatMemory(bytes: number): string {
  return bytes < 1024 ** 3 ? formatBytes(bytes) : formatLargeBytes(bytes);
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
