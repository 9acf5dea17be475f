/** @file How the runs of two sweeps are called. */
import type { Registries } from "../../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../../training/run.ts";
import { labelMethods, methodKey, nameSize, rankOf } from "../../sweep/method.ts";
import { formatRank, formatRate } from "../format.ts";
import { titleOfTask } from "../../study/make_study.ts";

/** How runs are called in tables and sentences. */
export interface Namer {
  /** Task, rank, method and learning rate: the first cells of a row. */
  row(config: RunConfig): string[];
  /** The same in a few words. */
  cell(config: RunConfig): string;
}

/** Names of all of these, methods told apart by their options where they must be. */
export function namer(results: readonly RunResult[], registries: Registries): Namer {
  const labels = labelMethods(results.map(({ config }) => config.optimizer), registries);
  const withData = new Map(
    results.flatMap((result) =>
      result.status === "done" && result.outcome.data ? [[result.config.task.id, result]] : []
    ),
  );
  const title = ({ task }: RunConfig) => titleOfTask(task.id, registries, withData.get(task.id));
  const label = (config: RunConfig) => `${labels.get(methodKey(config.optimizer))!}${nameSize(config)}`;
  return {
    row: (config) => [
      title(config),
      formatRank(rankOf(config.optimizer)),
      label(config),
      formatRate(config.schedule.learningRate),
    ],
    cell(config) {
      const rank = rankOf(config.optimizer);
      return `${label(config)} on ${title(config)}${rank === null ? "" : ` at rank ${rank}`}`;
    },
  };
}
