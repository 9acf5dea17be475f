/** @file One line a run, for spreadsheets and data frames. */
import type { RunResult } from "../../training/run.ts";
import { finalValidationLoss } from "../choose.ts";
import { nameSize, optionsWithoutRank, rankOf } from "../method.ts";
import { mean } from "../statistics.ts";

const columns: readonly (readonly [string, (result: RunResult) => string | number | null])[] = [
  ["id", ({ id }) => id],
  ["status", ({ status }) => status],
  ["task", ({ config }) => config.task.id],
  ["model", ({ config }) => `${config.model.id}${nameSize(config)}`],
  ["optimizer", ({ config }) => config.optimizer.id],
  ["options", ({ config }) => JSON.stringify(optionsWithoutRank(config.optimizer))],
  ["rank", ({ config }) => rankOf(config.optimizer)],
  ["peak", ({ config }) => config.schedule.peak],
  ["seed", ({ config }) => config.seed],
  ["steps", ({ config }) => config.steps],
  ["batch_size", ({ config }) => config.batchSize],
  ["score_on", ({ config }) => config.scoreOn],
  ["examples", (result) => result.status === "done" ? result.outcome.scores.length : null],
  ["score", (result) => result.status === "done" ? result.outcome.score : null],
  [
    "train_loss",
    (result) => result.status === "done" ? result.outcome.trainLoss.at(-1)?.value ?? null : null,
  ],
  ["validation_loss", finalValidationLoss],
  ["gradient_error", (result) => meanOf(result, (one) => one.gradientError)],
  ["gradient_error_bound", (result) => meanOf(result, (one) => one.lowerBound)],
  ["gradient_cosine", (result) => meanOf(result, (one) => one.gradientCosine)],
  ["update_cosine", (result) => meanOf(result, (one) => one.updateCosine)],
  [
    "trainable_parameters",
    (result) => result.status === "done" ? result.outcome.cost.trainableParameters : null,
  ],
  ["state_bytes", (result) => result.status === "done" ? result.outcome.cost.stateBytes : null],
  ["peak_bytes", (result) => result.status === "done" ? result.outcome.cost.peakBytes : null],
  ["attach_ms", (result) => result.status === "done" ? result.outcome.cost.attachMs : null],
  ["median_step_ms", (result) => result.status === "done" ? result.outcome.cost.medianStepMs : null],
  ["median_host_ms", (result) => result.status === "done" ? result.outcome.cost.medianHostMs : null],
  ["total_ms", (result) => result.status === "done" ? result.outcome.cost.totalMs : null],
  ["adapter", ({ environment }) => environment.adapter],
  ["commit", ({ environment }) => environment.commit],
];

/** Results as CSV (RFC 4180) with a header. Empty fields are unknown. */
export function toCsv(results: readonly RunResult[]): string {
  const lines = [
    columns.map(([name]) => name),
    ...results.map((result) => columns.map(([, read]) => String(read(result) ?? ""))),
  ];
  return lines.map((line) => `${line.map(quote).join(",")}\r\n`).join("");
}

type One = Extract<RunResult, { readonly status: "done" }>["outcome"]["discrepancies"][number];

function meanOf(result: RunResult, read: (one: One) => number | null): number | null {
  if (result.status !== "done") return null;
  const values = result.outcome.discrepancies.map(read).filter((value) => value !== null);
  return values.length > 0 ? mean(values) : null;
}

function quote(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
