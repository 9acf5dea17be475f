/** @file Which runs of two sweeps belong together: those of one config, and those of nearly one. */
import { canonicalJson } from "../../../files/canonical_json.ts";
import type { RunConfig, RunResult } from "../../../training/run.ts";
import { methodKey, rankOf } from "../../sweep/method.ts";

/** A field of a config that differs. Undefined is a field that is not there. */
export interface ConfigChange {
  /** e.g. "schedule.learningRate". */
  readonly path: string;
  readonly here: unknown;
  readonly there: unknown;
}

/** A run of this sweep and its counterpart in the other. */
export interface RunPair {
  readonly here: RunResult;
  readonly there: RunResult;
  /** None for runs of one config, which have one id. */
  readonly changes: readonly ConfigChange[];
}

/** The runs of two sweeps. */
export interface Pairing {
  /** The same run in both, in this sweep's order; then runs of the same method, rank, task and seed with other configs. */
  readonly pairs: readonly RunPair[];
  readonly onlyHere: readonly RunResult[];
  readonly onlyThere: readonly RunResult[];
}

/** Pairs the runs of two sweeps: by id, and what is left by method, rank, task, model, seed and rate, or all but the rate. */
export function pairRuns(here: readonly RunResult[], there: readonly RunResult[]): Pairing {
  const others = new Map(there.map((result) => [result.id, result]));
  const pairs: RunPair[] = here.flatMap((result) => {
    const other = others.get(result.id);
    return other ? [{ here: result, there: other, changes: [] }] : [];
  });
  const paired = new Set(pairs.map((pair) => pair.here.id));
  let onlyHere = here.filter(({ id }) => !paired.has(id));
  let onlyThere = there.filter(({ id }) => !paired.has(id));
  for (const keyOf of [withRate, withoutRate]) {
    const ours = Map.groupBy(onlyHere, keyOf), theirs = Map.groupBy(onlyThere, keyOf);
    const found = [...ours].flatMap(([key, [one, ...more]]): RunPair[] => {
      const [other, ...others] = theirs.get(key) ?? [];
      // Of several that are called the same nobody knows which is whose counterpart.
      if (!one || !other || more.length > 0 || others.length > 0) return [];
      return [{ here: one, there: other, changes: configChanges(one.config, other.config) }];
    });
    pairs.push(...found);
    const done = new Set(found.flatMap((pair) => [pair.here, pair.there]));
    onlyHere = onlyHere.filter((result) => !done.has(result));
    onlyThere = onlyThere.filter((result) => !done.has(result));
  }
  return { pairs, onlyHere, onlyThere };
}

/** Fields that differ between two configs, in the order of their names. Where files lie is none of them. */
export function configChanges(here: RunConfig, there: RunConfig): ConfigChange[] {
  const ours = flatten(portable(here)), theirs = flatten(portable(there));
  return [...new Set([...ours.keys(), ...theirs.keys()])].sort().flatMap((path): ConfigChange[] => {
    const one = ours.get(path), other = theirs.get(path);
    return canonicalJson([one ?? null]) === canonicalJson([other ?? null])
      ? []
      : [{ path, here: one, there: other }];
  });
}

/** "steps 4, there 8; clip 1, there none". */
export function describeChanges(changes: readonly ConfigChange[]): string {
  return changes.map(({ path, here, there }) => `${path} ${describe(here)}, there ${describe(there)}`).join(
    "; ",
  );
}

function describe(value: unknown): string {
  return value === undefined ? "none" : typeof value === "string" ? value : JSON.stringify(value);
}

function withoutRate({ config }: RunResult): string {
  const { task, model, optimizer, seed } = config, { width = 0, layers = 0 } = model;
  return canonicalJson([task.id, model.id, width, layers, methodKey(optimizer), rankOf(optimizer), seed]);
}

function withRate(result: RunResult): string {
  return `${withoutRate(result)} ${result.config.schedule.learningRate}`;
}

/** A config without the paths of files whose fingerprints it has. */
function portable({ task, model, ...rest }: RunConfig): unknown {
  const { data: _, ...ofTask } = task, { path: _path, ...ofModel } = model;
  return {
    ...rest,
    task: task.fingerprint === undefined ? task : ofTask,
    model: model.fingerprint === undefined ? model : ofModel,
  };
}

function flatten(value: unknown, path = ""): Map<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Map([[path, value]]);
  return new Map(
    Object.entries(value).flatMap((
      [name, inner],
    ) => [...flatten(inner, path === "" ? name : `${path}.${name}`)]),
  );
}
