/** @file One line a run, or a measurement, for spreadsheets and data frames. */
import { weightKindOf } from "../../models/weight_kind.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import type { BaseResult, Forgetting, RunConfig, RunResult, WeightChange } from "../../training/run.ts";
import { baseOf } from "../sweep/bases.ts";
import { finalValidationLoss } from "../rates/choose.ts";
import { nameSize, optionsWithoutRank, rankOf } from "../sweep/method.ts";
import { mean } from "../statistics/statistics.ts";
import type { DoneBase } from "../study/study.ts";

type Column<T> = readonly [name: string, read: (row: T) => string | number | null | undefined];

const columns: readonly Column<RunResult>[] = [
  ["id", ({ id }) => id],
  ["status", ({ status }) => status],
  ["task", ({ config }) => config.task.id],
  ["model", ({ config }) => `${config.model.id}${nameSize(config)}`],
  ["optimizer", ({ config }) => config.optimizer.id],
  ["options", ({ config }) => JSON.stringify(optionsWithoutRank(config.optimizer))],
  ["rank", ({ config }) => rankOf(config.optimizer)],
  ["learning_rate", ({ config }) => config.schedule.learningRate],
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
  ["test_loss", (result) => result.status === "done" ? result.outcome.testLoss : null],
  ["pretraining_loss_before", (result) => forgettingOf(result)?.before],
  ["pretraining_loss", (result) => forgettingOf(result)?.after],
  ["gradient_error", (result) => meanOf(result, (one) => one.gradientError)],
  ["gradient_error_bound", (result) => meanOf(result, (one) => one.lowerBound)],
  ["gradient_cosine", (result) => meanOf(result, (one) => one.gradientCosine)],
  ["update_cosine", (result) => meanOf(result, (one) => one.updateCosine)],
  ["second_order_share", (result) => meanOf(result, (one) => one.secondOrderShare)],
  ["move_of_a", (result) => meanOf(result, (one) => one.moveOfA)],
  ["effective_rank", (result) => meanOf(result, (one, last) => one.step === last ? one.effectiveRank : null)],
  ["relative_change", (result) => meanChange(result, ({ relativeNorm }) => relativeNorm)],
  ["intruders", (result) => meanChange(result, ({ intruders }) => intruders)],
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

/**
 * Results as CSV (RFC 4180) with a header, a line a run. Empty fields are unknown. Measures of tasks come last.
 *
 * @param bases scores of base checkpoints, of these runs' or others', for the score before fine-tuning
 */
export function toCsv(results: readonly RunResult[], bases: readonly BaseResult[] = []): string {
  const [scoreBefore, commonest] = [scoresBefore(bases), scoresBefore(bases, ({ commonest }) => commonest)];
  const measuresOf = (result: RunResult) => result.status === "done" ? result.outcome.measures ?? {} : {};
  const names = [...new Set(results.flatMap((result) => Object.keys(measuresOf(result))))].sort();
  const measures = names.map((name): Column<RunResult> => [
    name.toLowerCase().replaceAll(" ", "_"),
    (result) => measuresOf(result)[name]?.value,
  ]);
  const after = columns.findIndex(([name]) => name === "score") + 1;
  const before: readonly Column<RunResult>[] = [
    ["score_before", ({ config }) => scoreBefore(config)],
    ["score_of_commonest_class", ({ config }) => commonest(config)],
  ];
  return write([...columns.slice(0, after), ...before, ...columns.slice(after), ...measures], results);
}

/**
 * What finds a number of a run's base checkpoint, by default its score before fine-tuning; undefined where it was not taken.
 */
export function scoresBefore(
  bases: readonly BaseResult[],
  read: (base: DoneBase) => number | undefined = ({ score }) => score,
): (config: RunConfig) => number | undefined {
  const found = new Map(
    bases.flatMap((base) => base.status === "done" ? [[canonicalJson(base.config), read(base)]] : []),
  );
  return (config) => {
    const base = baseOf(config);
    return base === null ? undefined : found.get(canonicalJson(base));
  };
}

type Discrepancy = Extract<RunResult, { readonly status: "done" }>["outcome"]["discrepancies"][number];

/** What one measurement says, by the names that exports use. */
export const measurements: readonly Column<Discrepancy>[] = [
  ["gradient_error", (one) => one.gradientError],
  ["gradient_error_bound", (one) => one.lowerBound],
  ["gradient_cosine", (one) => one.gradientCosine],
  ["update_cosine", (one) => one.updateCosine],
  ["second_order_share", (one) => one.secondOrderShare],
  ["move_of_a", (one) => one.moveOfA],
  ["effective_rank", (one) => one.effectiveRank],
];

/** A measurement with the run that it is from. */
interface Measurement {
  readonly result: RunResult;
  readonly one: Discrepancy;
}

const measurementColumns: readonly Column<Measurement>[] = [
  ["id", ({ result }) => result.id],
  ["task", ({ result: { config } }) => config.task.id],
  ["optimizer", ({ result: { config } }) => config.optimizer.id],
  ["options", ({ result: { config } }) => JSON.stringify(optionsWithoutRank(config.optimizer))],
  ["rank", ({ result: { config } }) => rankOf(config.optimizer)],
  ["learning_rate", ({ result: { config } }) => config.schedule.learningRate],
  ["seed", ({ result: { config } }) => config.seed],
  ["step", ({ one }) => one.step],
  ["target_module", ({ one }) => one.targetModule],
  ["kind", ({ one }) => weightKindOf(one.targetModule)],
  ...measurements.map(([name, read]): Column<Measurement> => [name, ({ one }) => read(one)]),
];

/** What telemetry measured as CSV, a line a run, step and linear map. */
export function measurementsToCsv(results: readonly RunResult[]): string {
  return write(
    measurementColumns,
    results.flatMap((result) =>
      result.status === "done" ? result.outcome.discrepancies.map((one) => ({ result, one })) : []
    ),
  );
}

function write<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const lines = [
    columns.map(([name]) => name),
    ...rows.map((row) => columns.map(([, read]) => String(read(row) ?? ""))),
  ];
  return lines.map((line) => `${line.map(quote).join(",")}\r\n`).join("");
}

function forgettingOf(result: RunResult): Forgetting | undefined {
  return result.status === "done" ? result.outcome.forgetting : undefined;
}

/** Mean of a number over the changes of a run's weights. */
function meanChange(result: RunResult, read: (one: WeightChange) => number | null): number | null {
  const changes = result.status === "done" ? result.outcome.changes ?? [] : [];
  const known = changes.flatMap((one) => read(one) ?? []);
  return known.length > 0 ? mean(known) : null;
}

/** Mean of a number over a run's measurements; `read` gets the last measured step too. */
function meanOf(
  result: RunResult,
  read: (one: Discrepancy, last: number) => number | null | undefined,
): number | null {
  if (result.status !== "done") return null;
  const { discrepancies } = result.outcome;
  const last = discrepancies.reduce((most, { step }) => Math.max(most, step), 0);
  const values = discrepancies.map((one) => read(one, last))
    .filter((value) => value !== null && value !== undefined);
  return values.length > 0 ? mean(values) : null;
}

function quote(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
