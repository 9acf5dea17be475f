/** @file What runs must share to be compared, and the setting of most of a sweep's runs, which its tables speak of. */
import { canonicalJson } from "../../files/canonical_json.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";

/** Runs on one task that can be compared. */
export interface Setting {
  readonly key: string;
  readonly configs: readonly RunConfig[];
}

/** What runs share that can be compared: all but method, rank, rate and seed, and where files lie. */
export function settingOf(config: RunConfig) {
  const {
    task,
    model,
    targetModules,
    alsoTrain,
    steps,
    batchSize,
    accumulate,
    schedule,
    clip,
    scoreOn,
    memory,
  } = config;
  // Pairs have slices of test examples of their own.
  const { data, hub: _dataHub, testSlice: _slice, ...ownTask } = task,
    { path, hub: _modelHub, ...ownModel } = model,
    { learningRate: _, ...ownSchedule } = schedule;
  return {
    // Files that moved are the same where their fingerprint is known.
    task: task.fingerprint === undefined ? { ...ownTask, data } : ownTask,
    model: model.fingerprint === undefined ? { ...ownModel, path } : ownModel,
    targetModules,
    ...(alsoTrain && { alsoTrain }),
    steps,
    batchSize,
    ...(accumulate > 1 && { accumulate }),
    schedule: ownSchedule,
    clip,
    scoreOn,
    ...(memory && { memory }),
  };
}

/** Equal for runs that can be compared. */
export function keyOfSetting(config: RunConfig): string {
  return canonicalJson(settingOf(config));
}

/** The settings of the runs on a task, that of the most runs first; of as many the one that is listed first. */
export function settingsOf(configs: readonly RunConfig[], task: string): Setting[] {
  const byKey = Map.groupBy(configs.filter((config) => config.task.id === task), keyOfSetting);
  return [...byKey].map(([key, configs]) => ({ key, configs }))
    .toSorted((a, b) => b.configs.length - a.configs.length);
}

/** "steps 40, not 60". */
export function differenceOf(one: RunConfig, other: RunConfig): string {
  const mine = flatten(settingOf(one)), theirs = flatten(settingOf(other));
  const names = [...new Set([...mine.keys(), ...theirs.keys()])].filter((name) =>
    mine.get(name) !== theirs.get(name)
  );
  return names.map((name) => `${name} ${mine.get(name) ?? "none"}, not ${theirs.get(name) ?? "none"}`).join(
    "; ",
  );
}

/** Leaves by their paths: "task.trainExamples" is "256". */
function flatten(value: object, path = ""): Map<string, string> {
  return new Map(
    Object.entries(value).filter(([, item]) => item !== undefined).flatMap(([name, item]) =>
      typeof item === "object" && !Array.isArray(item)
        ? [...flatten(item, `${path}${name}.`)]
        : [[`${path}${name}`, String(item)] as const]
    ),
  );
}

/** The results that a report's tables speak of: on each task those of the setting that most of the configs have. */
export function ofMainSettings(configs: readonly RunConfig[], results: readonly RunResult[]): RunResult[] {
  const main = new Map(
    [...new Set(configs.map(({ task }) => task.id))].map((task) => [task, settingsOf(configs, task)[0]!.key]),
  );
  return results.filter(({ config }) => main.get(config.task.id) === keyOfSetting(config));
}
