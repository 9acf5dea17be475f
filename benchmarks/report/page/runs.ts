/** @file Every run of a report by itself: what it was, how it ended, and all that makes it again. */
import type { RunConfig, RunResult } from "../../../training/run.ts";
import { finalValidationLoss } from "../../rates/choose.ts";
import { HEADS, methodKey, nameSize, rankOf } from "../../sweep/method.ts";
import { formatBytes, formatCount, formatMeasured, formatNumber, formatSeconds } from "../format.ts";
import type { ReportedRun } from "../report.ts";
import type { Study } from "../../study/study.ts";

/** A run that was planned, and its result where there is one. */
export interface RunRecord {
  readonly id: string;
  readonly config: RunConfig;
  readonly result: RunResult | null;
}

/** The runs as a page tells of them, in their order. */
export function describeRuns(study: Study, records: readonly RunRecord[]): ReportedRun[] {
  const labels = new Map(study.methods.map(({ key, label }) => [key, label]));
  const titles = new Map(study.tasks.map(({ id, title }) => [id, title]));
  return records.map(({ id, config, result }) => ({
    id,
    task: config.task.id,
    taskTitle: titles.get(config.task.id) ?? config.task.id,
    method: labels.get(methodKey(config.optimizer)) ?? config.optimizer.id,
    size: nameSize(config).trim(),
    rank: rankOf(config.optimizer),
    rate: config.schedule.learningRate,
    seed: config.seed,
    status: result?.status ?? "missing",
    score: result?.status === "done" ? result.outcome.score : null,
    validationLoss: result === null ? null : finalValidationLoss(result),
    facts: result === null ? [] : [...factsOf(result), ...environmentOf(result)],
    config,
  }));
}

function factsOf(result: RunResult): (readonly [string, string])[] {
  if (result.status === "failed") return [["Error", result.error]];
  if (result.status === "diverged") {
    const last = result.trainLoss.at(-1);
    return [
      ["Diverged", `at step ${result.step} of ${result.config.steps}`],
      ...last ? [["Last training loss", `${formatNumber(last.value)} at step ${last.step}`] as const] : [],
    ];
  }
  const { outcome, config } = result, { cost } = outcome;
  const loss = finalValidationLoss(result), last = outcome.trainLoss.at(-1);
  const examples = formatCount(outcome.scores.length, `${config.scoreOn} example`);
  return [
    ["Score", `${formatNumber(outcome.score)} on ${examples}`],
    ...Object.entries(outcome.measures ?? {}).map(([name, { value }]) =>
      [name, value === null ? "—" : formatNumber(value)] as const
    ),
    ...loss === null ? [] : [["Last validation loss", formatNumber(loss)] as const],
    ...last ? [["Last training loss", formatNumber(last.value)] as const] : [],
    [
      "Steps",
      `${config.steps}, ${
        cost.medianStepMs === null
          ? "the time of one was not measured: telemetry measured each"
          : `${formatSeconds(cost.medianStepMs / 1000)} each (${
            cost.onlyFirstWindow
              ? "timed together, kernels compiled within where they had not been"
              : "median"
          })`
      }`,
    ],
    ["Whole run", formatSeconds(cost.totalMs / 1000)],
    ["Peak memory", formatMeasured(cost.peakBytes, formatBytes)],
    ["Optimizer state", formatBytes(cost.stateBytes)],
    ["Trainable parameters", cost.trainableParameters.toLocaleString("en")],
    ...outcome.data
      ? [["Data", `${outcome.data.title}, fingerprint ${outcome.data.fingerprint.slice(0, 16)}`] as const]
      : [],
    ...fetchedOf(config).map((name) => ["From the Hub", name] as const),
    ...config.model.head === undefined ? [] : [["Head", HEADS[config.model.head]] as const],
  ];
}

/** What was fetched: of the model, its adapter and the data. */
function fetchedOf({ task, model }: RunResult["config"]): string[] {
  return [model.hub, model.adapter?.hub, task.hub].filter((one) => one !== undefined);
}

function environmentOf({ environment }: RunResult): (readonly [string, string])[] {
  return [
    ["Adapter", `${environment.adapter} (${environment.backend})`],
    ["Deno", environment.deno],
    ["Commit", environment.commit],
    ["Begun", environment.startedAt],
  ];
}
