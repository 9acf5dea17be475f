/** @file A run as JSON lines with the keys of Weights & Biases: what it was asked, what each step said, how it ended. */
import { learningRateAt } from "../../../training/loop/schedule.ts";
import type { Point, RunResult } from "../../../training/run.ts";
import { nameRun } from "../../sweep/progress.ts";
import { mean } from "../../statistics/statistics.ts";
import { measurements } from "../csv.ts";

/** A line: numbers and texts by name, nested in the config alone. Absent is what was not measured. */
export type HistoryRecord = Readonly<Record<string, unknown>>;

/**
 * A run as JSON lines: one of `_type` "config", one of `_type` "history" for each step of which something is known, and one
 * of `_type` "summary". A pure function of the stored run: `_runtime`, in seconds, counts steps at the run's median pace
 * from the start of attaching, without validation and telemetry, and `_timestamp` is that after the run's start, in seconds
 * since 1970.
 */
export function toHistory(result: RunResult): string {
  return historyOf(result).map((record) => `${JSON.stringify(record)}\n`).join("");
}

/** The lines of `toHistory` before they are text. */
export function historyOf(result: RunResult): HistoryRecord[] {
  const { id, config, environment } = result;
  // With letters before it, since readers take an id of digits alone for a number.
  const _run = `run-${id}`;
  const { features: _, limits: _l, ...where } = environment;
  const steps = new Map<number, Record<string, number>>();
  const add = (name: string, points: readonly Point[]) => {
    for (const { step, value } of points) steps.set(step, { ...steps.get(step), [name]: value });
  };
  if (result.status === "done") {
    const { trainLoss, validationLoss, inspected } = result.outcome;
    add("train/loss", trainLoss);
    add("validation/loss", validationLoss);
    for (const [name, points] of telemetryOf(result)) add(`telemetry/${name}`, points);
    for (const [name, points] of Object.entries(inspected)) add(`inspected/${name}`, points);
  } else if (result.status === "diverged") {
    add("train/loss", result.trainLoss);
  }
  return [
    { _type: "config", _run, name: nameRun(config), config, environment: where },
    ...[...steps].sort(([a], [b]) => a - b).map(([step, values]) => ({
      _type: "history",
      _run,
      _step: step,
      ...clockAt(result, step),
      ...step > 0 && { learning_rate: learningRateAt(config.schedule, step, config.steps) },
      ...values,
    })),
    { _type: "summary", _run, ...summaryOf(result) },
  ];
}

/** When a step was done, as far as the run's cost tells. */
function clockAt(
  result: RunResult,
  step: number,
): { readonly _runtime?: number; readonly _timestamp?: number } {
  if (result.status !== "done") return {};
  const { attachMs, medianStepMs } = result.outcome.cost;
  if (medianStepMs === null) return {};
  return clock(result, (attachMs + step * medianStepMs) / 1000);
}

function clock({ environment }: RunResult, _runtime: number) {
  const start = Date.parse(environment.startedAt) / 1000;
  return { _runtime, ...Number.isFinite(start) && { _timestamp: start + _runtime } };
}

/** Every measurement of each map, and its mean over the maps. */
function telemetryOf(result: Extract<RunResult, { status: "done" }>): [string, Point[]][] {
  const { discrepancies } = result.outcome;
  return measurements.flatMap(([name, read]): [string, Point[]][] => {
    const known = discrepancies.flatMap((one) => {
      const value = read(one);
      return typeof value === "number" ? [{ step: one.step, targetModule: one.targetModule, value }] : [];
    });
    if (known.length === 0) return [];
    const byTargetModule = Map.groupBy(known, ({ targetModule }) => targetModule),
      byStep = Map.groupBy(known, ({ step }) => step);
    const means = Array.from(byStep, ([step, own]) => ({ step, value: mean(own.map(({ value }) => value)) }));
    return [
      [name, means],
      ...Array.from(
        byTargetModule,
        ([targetModule, own]): [string, Point[]] => [`${name}/${targetModule}`, own],
      ),
    ];
  });
}

function summaryOf(result: RunResult): HistoryRecord {
  const { status } = result;
  if (status === "failed") return { status, error: result.error };
  if (status === "diverged") return { status, _step: result.step };
  const { score, scores, measures = {}, forgetting, trainLoss, validationLoss, cost } = result.outcome;
  const last = (name: string, points: readonly Point[]) =>
    points.length > 0 ? { [name]: points.at(-1)!.value } : {};
  return {
    status,
    _step: result.config.steps,
    ...clock(result, cost.totalMs / 1000),
    score,
    examples: scores.length,
    ...Object.fromEntries(
      Object.entries(measures).flatMap(([name, { value }]) =>
        value === null ? [] : [[`measures/${name}`, value]]
      ),
    ),
    ...last("train/loss", trainLoss),
    ...last("validation/loss", validationLoss),
    ...forgetting && { "pretraining/loss_before": forgetting.before },
    ...typeof forgetting?.after === "number" && { "pretraining/loss": forgetting.after },
    "cost/trainable_parameters": cost.trainableParameters,
    "cost/state_bytes": cost.stateBytes,
    ...cost.peakBytes !== null && { "cost/peak_bytes": cost.peakBytes },
    "cost/attach_ms": cost.attachMs,
    ...cost.medianStepMs !== null && { "cost/median_step_ms": cost.medianStepMs },
    ...cost.medianHostMs !== null && { "cost/median_host_ms": cost.medianHostMs },
    "cost/total_ms": cost.totalMs,
  };
}
