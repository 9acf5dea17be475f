/** @file What a report is made of, and the contract of a chart. */
import type { Against } from "./against/against.ts";
import type { Drawing } from "./charts/lay_out.ts";
import type { Fit } from "../growth/fit.ts";
import type { CurvePoint, GrowthPoint } from "../growth/points.ts";
import type { GpuRates, Prediction } from "../growth/predict.ts";
import type { PredictedCost } from "../predicted_cost.ts";
import type { ChosenRate, Files } from "../rates.ts";
import type { Measure, TaskFamily } from "../../tasks/task.ts";
import type { BaseResult, RunConfig, RunResult } from "../../training/run.ts";

/** A Vega-Lite v6 specification with its data inline. */
export type VegaLiteSpec = { readonly $schema: string } & Readonly<Record<string, unknown>>;

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
  /** e.g. "LoRA-GA (alpha/sqrt(r))". */
  readonly label: string;
  readonly color: string;
  /** A Vega symbol or an SVG path, so that methods can be told apart without colour. */
  readonly shape: string;
  /** Lengths of dashes and gaps; [1, 0] is a solid line. */
  readonly dash: readonly number[];
}

/** Runs of one method at one rank and one rate on one task. */
export interface RunsAtRate {
  readonly peak: number;
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
  /** Runs that no cell has, since they can't be compared with the others on their task. */
  readonly leftOut: readonly OtherSetting[];
  /** What predictions are for. */
  readonly gpu: GpuRates;
}

/** One chart of a report. A new chart is one file that exports one of these, and a registry line. */
export interface Chart {
  /** File name of the emitted specification, e.g. "score-by-rank". */
  readonly id: string;
  readonly title: string;
  /** What a reader learns from it, in a sentence or two; the report's caption. */
  readonly caption: string;
  /** Pure. Null where the results hold nothing to show. */
  draw(study: Study): Drawing | null;
}

/** A table, ready to print. */
export interface Table {
  readonly title: string;
  /** How to read it. */
  readonly note: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One run by itself, ready to print: finished, diverged, failed, or planned and missing. */
export interface ReportedRun {
  readonly id: string;
  /** The task's id. */
  readonly task: string;
  readonly taskTitle: string;
  /** The method's label. */
  readonly method: string;
  /** Of a resized model, e.g. "(width 128, layers 2, batch 8)"; empty where the model has its own size. */
  readonly size: string;
  /** Null for methods without ranks. */
  readonly rank: number | null;
  /** Peak learning rate. */
  readonly rate: number;
  readonly seed: number;
  readonly status: RunResult["status"] | "missing";
  /** Null where it did not finish. */
  readonly score: number | null;
  /** The last one; null where there is none. */
  readonly validationLoss: number | null;
  /** What it found, what it cost, and where it ran; empty where it is missing. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly config: RunConfig;
}

/** A chart of a report: its drawing, and its specification for all that a reader sees who chose nothing. */
export interface ReportedChart {
  readonly chart: Omit<Chart, "draw">;
  readonly drawing: Drawing;
  readonly spec: VegaLiteSpec;
}

/** All that a report says. */
export interface Report {
  readonly name: string;
  readonly question: string;
  /** How it compares with another sweep, where it was asked to; its sentences and tables are among the answer's and the tables. */
  readonly against: Against | null;
  /** What was found, in sentences with numbers. */
  readonly answer: readonly string[];
  readonly charts: readonly ReportedChart[];
  readonly tables: readonly Table[];
  /** Every method of the report, with its looks. */
  readonly methods: readonly MethodLabel[];
  /** Every run of the plan, or every stored one where there is none, in that order. */
  readonly runs: readonly ReportedRun[];
  /** Runs that are missing, failed or diverged, files that can't be used, rates at the edge: said out loud. */
  readonly caveats: readonly string[];
  /** Where and from what it was made. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** What to type to make it again; null where nobody wrote it down. */
  readonly command: string | null;
}
