/** @file Results in the order of reports: what statistics, tables and charts are made from. */
import type { Fit } from "../cost/growth/fit.ts";
import type { CurvePoint, GrowthPoint } from "../cost/growth/points.ts";
import type { GpuRates, Prediction } from "../cost/growth/predict.ts";
import type { PredictedCost } from "../cost/predicted_cost.ts";
import type { ChosenRate, Files } from "../rates/rates.ts";
import type { Measure, TaskFamily } from "../../tasks/task.ts";
import type { BaseResult, RunConfig, RunResult } from "../../training/run.ts";
import type { AxisValue } from "../sweep/axes.ts";

/** A run that ended with a score. */
export type DoneRun = Extract<RunResult, { readonly status: "done" }>;

/** A task as reports name it. */
export interface TaskLabel {
  readonly id: string;
  /** e.g. "Shifted digits"; of real data the data set's, e.g. "MetaMathQA and GSM8K". */
  readonly title: string;
  /** The user's files that its runs are about. */
  readonly files: Files;
  /** Null where the task is no longer known. */
  readonly family: TaskFamily | null;
  /** e.g. "accuracy". */
  readonly metric: string;
  /** Expected score of guessing; null where the task is no longer known, or its data is real. */
  readonly chance: number | null;
  /** What it measures beside the score; empty where it is no longer known. */
  readonly measures: readonly Measure[];
}

/** A method as reports name and draw it: the same everywhere. */
export interface MethodLabel {
  readonly key: string;
  readonly optimizer: string;
  /** e.g. "LoRA-GA"; with what tells it apart where a report has several variants, e.g. "LoRA-Pro, mode sgd". */
  readonly label: string;
  /** e.g. "alpha/sqrt(r); alpha 16"; empty where it has none. */
  readonly settings: string;
  readonly color: string;
  /** A Vega symbol or an SVG path, so that methods can be told apart without colour. */
  readonly shape: string;
  /** Lengths of dashes and gaps; [1, 0] is a solid line. */
  readonly dash: readonly number[];
}

/** Runs of one method at one rank and one rate on one task. */
export interface RunsAtRate {
  readonly learningRate: number;
  /** Finished runs, by seed. */
  readonly runs: readonly DoneRun[];
  /** Seeds whose runs diverged. */
  readonly diverged: readonly number[];
}

/** The runs of one method at one rank on one task, at the rate that speaks for it. */
export interface Cell extends RunsAtRate {
  readonly task: TaskLabel;
  readonly method: MethodLabel;
  /** Null for methods without ranks. */
  readonly rank: number | null;
  /** At every rate that the sweep ran, ascending: the one that speaks for the cell among them. */
  readonly grid: readonly RunsAtRate[];
  /** How its rate was chosen; null where it was stated. */
  readonly chosen: ChosenRate | null;
  /** What a run should cost by formula; null where nobody knows. */
  readonly predicted: PredictedCost | null;
}

/** Runs on a task that differ from its other runs in more than method, rank, rate and seed. */
export interface OtherSetting {
  readonly task: TaskLabel;
  readonly runs: number;
  /** What differs, e.g. "steps 40, not 60". */
  readonly difference: string;
}

/** Runs of one method at one rank on one task, with one value of a field that was varied. */
export interface AxisCell extends RunsAtRate {
  readonly task: TaskLabel;
  /** The method without the field, with its rank where there are several. */
  readonly series: MethodLabel;
  /** The same with the field, as the rest of the report has it: what a reader's choice of methods goes by. */
  readonly method: string;
  readonly rank: number | null;
  /** Null for a method that does not have the field. */
  readonly value: AxisValue | null;
  /** At every rate that ran, ascending: the one of the least validation loss speaks. */
  readonly grid: readonly RunsAtRate[];
}

/** A field that was varied, and what came of each value. */
export interface AxisView {
  readonly field: string;
  /** e.g. "batch size". */
  readonly title: string;
  /** Numbers ascending; others in the order of the runs. */
  readonly values: readonly AxisValue[];
  readonly scale: "log" | "linear" | "words";
  /** True where models of another size start from random weights, so that runs are no fine-tuning. */
  readonly isSize: boolean;
  readonly series: readonly MethodLabel[];
  readonly cells: readonly AxisCell[];
  /** The runs that it is about. */
  readonly configs: readonly RunConfig[];
}

/** A base checkpoint that was scored. */
export type DoneBase = Extract<BaseResult, { readonly status: "done" }>;

/** What a task's base checkpoint scored before fine-tuning. */
export interface Before {
  readonly task: TaskLabel;
  readonly result: DoneBase;
}

/** How the costs of one method on one task grow with size. */
export interface MethodGrowth {
  readonly method: MethodLabel;
  readonly points: readonly GrowthPoint[];
  readonly curves: readonly CurvePoint[];
  /** Milliseconds of a step; null where there are too few points. */
  readonly time: Fit | null;
  /** Peak bytes; null where there are too few points. */
  readonly memory: Fit | null;
  /** Of the paper's sizes; empty where there is no fit. */
  readonly predictions: readonly Prediction[];
}

/** A task that was run in several sizes: about costs, not about scores. */
export interface TaskGrowth {
  readonly task: TaskLabel;
  readonly methods: readonly MethodGrowth[];
}

/** Results in the order of reports: what tables and charts are made from. */
export interface Study {
  readonly tasks: readonly TaskLabel[];
  readonly methods: readonly MethodLabel[];
  /** Every rank, ascending. */
  readonly ranks: readonly number[];
  /** By task, rank (none first) and method. Cells without a finished run are there too. */
  readonly cells: readonly Cell[];
  /** By task; tasks whose base checkpoint was not scored have none. */
  readonly before: readonly Before[];
  /** How the rates in use were chosen; empty where they were stated. */
  readonly rates: readonly ChosenRate[];
  /** Tasks that were run in several sizes. They have no cells: their scores mean nothing. */
  readonly growth: readonly TaskGrowth[];
  /** Fields that were varied, each by itself. */
  readonly axes: readonly AxisView[];
  /** Runs that neither a cell nor an axis has, since they can't be compared with the others on their task. */
  readonly leftOut: readonly OtherSetting[];
  /** What predictions are for. */
  readonly gpu: GpuRates;
  /** True differences of scores of less, either way, are “the same”. */
  readonly margin: number;
}
