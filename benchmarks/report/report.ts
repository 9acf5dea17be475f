/** @file All that a report says. */
import type { RunConfig, RunResult } from "../../training/run.ts";
import type { MethodLabel } from "../study/study.ts";
import type { Against } from "./against/against.ts";
import type { Chart } from "./charts/chart.ts";
import type { Drawing, VegaLiteSpec } from "./drawing/lay_out.ts";
import type { Evidence } from "./page/evidence.ts";
import type { Forest } from "./forest.ts";
import type { Headline } from "./headline.ts";
import type { Scoreboard } from "./scoreboard.ts";
import type { Table } from "./table.ts";

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
  /** What a reader gets who reads nothing else. */
  readonly headline: Headline;
  /** What a claim predicts, and what that came to; null where nothing was claimed, or only words of it were stored. */
  readonly predicted: Table | null;
  /** What methods forgot against LoRA at equal score, in sentences; null where none ran at several rates. */
  readonly forgetting: string | null;
  /** Every method's difference to the baselines; null where nothing is compared. */
  readonly forest: Forest | null;
  /** Methods by tasks; null where no run has a score. */
  readonly scoreboard: Scoreboard | null;
  /** What was found, in sentences with numbers. */
  readonly answer: readonly string[];
  readonly charts: readonly ReportedChart[];
  readonly tables: readonly Table[];
  /** The few rows that stand for the whole report where there is little room; null where no run has finished. */
  readonly summary: Table | null;
  /** Every method of the report, with its looks. */
  readonly methods: readonly MethodLabel[];
  /** Every run of the plan, or every stored one where there is none, in that order. */
  readonly runs: readonly ReportedRun[];
  /** Results that the page carries whole, to be checked where it is alone. */
  readonly evidence: Evidence;
  /** Runs that are missing, failed or diverged, files that can't be used, rates at the edge: said out loud. */
  readonly caveats: readonly string[];
  /** Where and from what it was made. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** What to type to make it again; null where nobody wrote it down. */
  readonly command: string | null;
}
