/** @file What a sweep at work says of itself, to whoever shows it. */
import type { Progress } from "../../training/loop/progress.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { tellValue, titleAt } from "./axes.ts";
import { nameSize, optionsWithoutRank, rankOf } from "./method.ts";
import type { PlannedRun } from "./plan.ts";

/**
 * Watches a sweep. Calls come in this order: begin, then start, update…, finish for each run, then end; this again for each
 * round of a search; and stages before, between and after.
 */
export interface Display {
  /** What is done now that is no run, e.g. "Scoring base checkpoints". */
  stage(what: string): void;
  begin(sweep: { readonly done: number; readonly total: number; readonly apart?: Apart }): void;
  /** So many runs are made by now, by whomever: said before a run starts. */
  count?(done: number): void;
  start(run: PlannedRun): void;
  /** @param toGo milliseconds until the whole sweep is done; null where nobody knows */
  update(progress: Progress, toGo: number | null): void;
  finish(result: RunResult, ms: number): void;
  end(): void;
}

/** Shows a sweep in several places. */
export function inAllOf(displays: readonly Display[]): Display {
  return {
    stage: (what) => displays.forEach((display) => display.stage(what)),
    begin: (sweep) => displays.forEach((display) => display.begin(sweep)),
    count: (done) => displays.forEach((display) => display.count?.(done)),
    start: (run) => displays.forEach((display) => display.start(run)),
    update: (progress, toGo) => displays.forEach((display) => display.update(progress, toGo)),
    finish: (result, ms) => displays.forEach((display) => display.finish(result, ms)),
    end: () => displays.forEach((display) => display.end()),
  };
}

/** What tells a run from others that are called alike, e.g. ", batch size 8"; "" where nothing has to. */
export type Apart = (config: RunConfig) => string;

/** A run in a few words, e.g. "digits, lora-pro r8, lr 0.002, seed 0". */
export function nameRun(config: RunConfig, apart: Apart = () => ""): string {
  const rank = rankOf(config.optimizer);
  const method = rank === null ? config.optimizer.id : `${config.optimizer.id} r${rank}`;
  return `${config.task.id}, ${method}${nameSize(config)}${
    apart(config)
  }, lr ${config.schedule.learningRate}, ` +
    `seed ${config.seed}`;
}

/**
 * Finds what to add to the names of runs that are called alike otherwise, or that ranks alone tell apart: one field where that
 * tells them all apart, such as the one that a sweep varies, and else each that differs. A rank that follows what is varied,
 * as at equal parameters, says nothing of it to a reader.
 */
export function tellApart(configs: readonly RunConfig[]): Apart {
  const fields = new Map<string, readonly string[]>();
  const rankless = (config: RunConfig) => nameRun({ ...config, optimizer: withoutRank(config.optimizer) });
  for (const [name, alike] of Map.groupBy(configs, rankless)) {
    if (alike.length === 1) continue;
    const all = alike.map((config) => leavesOf({ ...config, optimizer: withoutRank(config.optimizer) }));
    const paths = [...new Set(all.flatMap((leaves) => [...leaves.keys()]))];
    const ranksTell = new Set(alike.map(({ optimizer }) => rankOf(optimizer))).size === alike.length;
    const differing = paths.filter((path) =>
      new Set(all.map((leaves) => leaves.get(path))).size > 1 && (!ranksTell || titleAt(path).order === 0)
    ).sort((a, b) => titleAt(a).order - titleAt(b).order);
    const alone = differing.find((path) =>
      new Set(alike.map(({ optimizer }, i) => JSON.stringify([rankOf(optimizer), all[i]!.get(path)])))
        .size ===
        alike.length
    );
    fields.set(name, alone === undefined ? differing : [alone]);
  }
  return (config) => {
    const leaves = leavesOf(config);
    return (fields.get(rankless(config)) ?? []).map((path) => {
      const { title, absent } = titleAt(path);
      return `, ${title} ${leaves.get(path) ?? absent}`;
    }).join("");
  };
}

function withoutRank(optimizer: RunConfig["optimizer"]): RunConfig["optimizer"] {
  return { ...optimizer, options: optionsWithoutRank(optimizer) };
}

/** Every value of a config by its path, lists as one. */
function leavesOf(config: RunConfig): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const visit = (value: unknown, path: string) => {
    if (Array.isArray(value)) leaves.set(path, tellValue(value.map(String)));
    else if (typeof value !== "object" || value === null) leaves.set(path, String(value));
    else for (const [key, inner] of Object.entries(value)) visit(inner, path === "" ? key : `${path}.${key}`);
  };
  visit(config, "");
  return leaves;
}
