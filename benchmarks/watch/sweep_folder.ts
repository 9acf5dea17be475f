/** @file What lies in a sweep's folder, read again only where it changed. */
import type { Point, RunConfig, RunResult } from "../../training/run.ts";
import { UserError } from "../../errors/user_error.ts";
import { type Pulse, readPulses } from "../sweep/live.ts";
import { type Plan, readPlan } from "../sweep/plan.ts";
import { namesIn } from "../../files/write_file.ts";
import { readRun } from "../sweep/store.ts";

/** A stored run, as far as a page shows it. */
export interface StoredRun {
  readonly id: string;
  readonly config: RunConfig;
  readonly status: RunResult["status"];
  /** ISO 8601. */
  readonly startedAt: string;
  /** Null where the run did not get so far. */
  readonly score: number | null;
  /** Null where the run did not end well. */
  readonly totalMs: number | null;
  /** Most bytes of live tensors; null where the run did not end well, or nobody measured. */
  readonly peakBytes: number | null;
  /** Why it failed, or where it diverged; null for a run that is done. */
  readonly reason: string | null;
  readonly curves: Curves;
}

/** Losses over a run. */
export interface Curves {
  /** Means of neighbouring steps where there are many. */
  readonly training: readonly Point[];
  readonly validation: readonly Point[];
}

/** What was found in a folder. */
export interface Contents {
  /** Null where there is none yet, or where it can't be used. */
  readonly plan: Plan | null;
  /** By id. */
  readonly runs: ReadonlyMap<string, StoredRun>;
  /** Sentences about files that can't be used. */
  readonly faults: readonly string[];
  /** Files of runs that were not read yet: the next look goes on. */
  readonly unread: number;
  /** Of the process that speaks for the sweep: the first that lives, else the last that did. */
  readonly pulse: Pulse;
  /** Of the other processes that live. */
  readonly others: readonly Pulse[];
  /** Another text once any of the stored files is another. */
  readonly stamp: string;
}

/** Most points that are kept of a curve: more than a chart shows. */
const MOST_POINTS = 160;

/** Most files that one look reads, so that none takes long. */
const MOST_FILES = 40;

interface Remembered {
  readonly stamp: string;
  /** The run, or what is wrong with the file. */
  readonly content: StoredRun | string;
}

/** A folder that is looked at again and again. */
export class SweepFolder {
  readonly #runs = new Map<string, Remembered>();
  #plan: { readonly stamp: string; readonly plan: Plan | null; readonly fault: string | null } | null = null;
  #looking: Promise<Contents> | null = null;

  /** @param out the folder that `bench` writes to */
  constructor(readonly out: string) {}

  /** Looks for what is new. Looks at the same time are one. */
  look(): Promise<Contents> {
    return this.#looking ??= this.#look().finally(() => this.#looking = null);
  }

  async #look(): Promise<Contents> {
    const folder = `${this.out}/runs`;
    let names: readonly string[] = [], folderFault: string | null = null;
    try {
      names = (await namesIn(folder)).filter((name) => name.endsWith(".json"));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      folderFault = error.message;
    }
    const stamps = new Map(names.map((name) => [name, stampOf(`${folder}/${name}`)]));
    for (const name of this.#runs.keys()) if (!stamps.has(name)) this.#runs.delete(name);
    const changed = names.filter((name) => this.#runs.get(name)?.stamp !== stamps.get(name));
    for (const name of changed.slice(0, MOST_FILES)) {
      this.#runs.set(name, { stamp: stamps.get(name)!, content: await readRunOf(folder, name) });
    }
    const planStamp = stampOf(`${this.out}/sweep.json`);
    if (this.#plan?.stamp !== planStamp) this.#plan = { stamp: planStamp, ...await readPlanOf(this.out) };
    const [pulse = { live: null, isAlive: false, fault: null }, ...rest] = await readPulses(this.out);
    const others = rest.filter(({ isAlive }) => isAlive);
    const contents = [...this.#runs.values()].map(({ content }) => content);
    return {
      plan: this.#plan.plan,
      runs: new Map(contents.flatMap((run) => typeof run === "string" ? [] : [[run.id, run]])),
      faults: [this.#plan.fault, pulse.fault, folderFault, ...contents].filter((item) =>
        typeof item === "string"
      ),
      unread: Math.max(0, changed.length - MOST_FILES),
      pulse,
      others,
      stamp: [planStamp, ...[...stamps].flat()].join(),
    };
  }
}

/** Changes with a file, and with why it can't be looked at; empty where there is none. */
function stampOf(path: string): string {
  try {
    const { mtime, size, ino } = Deno.statSync(path);
    return `${mtime?.getTime()}:${size}:${ino}`;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "" : (error as Error).name;
  }
}

async function readRunOf(folder: string, name: string): Promise<StoredRun | string> {
  try {
    return summarise(await readRun(`${folder}/${name}`));
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

async function readPlanOf(
  out: string,
): Promise<{ readonly plan: Plan | null; readonly fault: string | null }> {
  try {
    return { plan: await readPlan(out), fault: null };
  } catch (error) {
    if (error instanceof UserError) return { plan: null, fault: error.message };
    throw error;
  }
}

/** What a page shows of a result. */
export function summarise(result: RunResult): StoredRun {
  const { id, config, status, environment: { startedAt } } = result;
  const header = { id, config, status, startedAt };
  switch (result.status) {
    case "done": {
      const { score, trainLoss, validationLoss, cost: { totalMs, peakBytes } } = result.outcome;
      const curves = { training: thin(trainLoss), validation: thin(validationLoss) };
      return { ...header, score, totalMs, peakBytes, reason: null, curves };
    }
    case "diverged": {
      const curves = { training: thin(result.trainLoss), validation: [] };
      return {
        ...header,
        score: null,
        totalMs: null,
        peakBytes: null,
        reason: `at step ${result.step}`,
        curves,
      };
    }
    case "failed": {
      const curves = { training: [], validation: [] };
      return { ...header, score: null, totalMs: null, peakBytes: null, reason: result.error, curves };
    }
  }
}

/** "done", "diverged at step 3", "failed: Cannot go on". */
export function describeEnding({ status, reason }: StoredRun): string {
  return status === "failed" ? `${status}: ${reason}` : reason === null ? status : `${status} ${reason}`;
}

/** At most as many points as a chart shows: means of neighbours, at the last one's step. */
export function thin(points: readonly Point[]): Point[] {
  const width = Math.ceil(points.length / MOST_POINTS);
  if (width <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / width) }, (_, i) => {
    const group = points.slice(i * width, (i + 1) * width);
    return {
      step: group.at(-1)!.step,
      value: group.reduce((sum, { value }) => sum + value, 0) / group.length,
    };
  });
}
