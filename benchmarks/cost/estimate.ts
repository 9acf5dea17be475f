/** @file How long runs will take: what they take by count, at the pace of runs like them. */
import type { RunConfig, RunResult } from "../../training/run.ts";
import type { Passes } from "../../training/cost/scoring_work.ts";
import { rankOf } from "../sweep/method.ts";
import type { RunWork, WorkOf } from "./run_work.ts";
import { mean } from "../statistics/statistics.ts";

/** What one wait for the GPU takes Deno, in milliseconds, where the GPU is done sooner. */
const WAIT = 11;
/** Halvings of the interval that a pace lies in: as many as single precision has digits. */
const HALVINGS = 24;
/** Milliseconds of planned scoring of a base checkpoint below which its time tells of compiling kernels. */
const LEAST_BASE = 2000;
/** Milliseconds a FLOP where nothing is known. Times are then told by what was measured, over this. */
const UNKNOWN_PACE = 1e-7;

/** Which runs are like another. */
interface Kind {
  readonly task: string;
  readonly optimizer: string;
  readonly rank: number | null;
  /** FLOPs of its training. */
  readonly flops: number;
}

/** How fast the runs of a kind were, on some machine. */
export interface Pace extends Kind {
  /** Milliseconds a FLOP, beside waits. */
  readonly msPerFlop: number;
}

/** How long a run took, in parts. */
export interface Timing {
  /** The step at which its start was over, in which data are read and kernels compiled; 0 where it isn't told apart. */
  readonly startedAtStep: number;
  /** Milliseconds until then. */
  readonly startMs: number;
  /** Milliseconds of the rest of training. */
  readonly trainingMs: number;
  /** Milliseconds of scoring; null where it is not told apart, and `trainingMs` is all. */
  readonly scoringMs: number | null;
}

/** Milliseconds of passes at a pace: of waits that are longer than the work, the waits. */
function msOf(all: readonly Passes[], msPerFlop: number): number {
  return all.reduce((sum, { count, flops }) => sum + Math.max(WAIT * count, msPerFlop * flops), 0);
}

/** The pace of a whole run that took so long: that at which its passes do. Where its waits alone take longer, next to none. */
export function paceOf(config: RunConfig, { training, scoring }: RunWork, totalMs: number): Pace {
  const all = [training, ...scoring];
  let low = 0, high = totalMs / all.reduce((sum, { flops }) => sum + flops, 0);
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (msOf(all, middle) < totalMs) low = middle;
    else high = middle;
  }
  return { ...kindOf(config, training), msPerFlop: high };
}

/** What a run said about times: measured ones over planned ones. */
interface Ratios extends Kind {
  readonly training: number;
  /** Milliseconds of its start beyond the work that was done in it; null for a task's first run, which compiles for all. */
  readonly startMs: number | null;
  readonly scoring: number | null;
}

/** The part of it that a run under way can say. */
type Said = Omit<Ratios, "startMs" | "scoring">;

/** What a run under way says of its training: measured time over planned time. */
export interface Current {
  readonly config: RunConfig;
  readonly ratio: number;
}

/** Milliseconds of a run. */
export interface Parts {
  readonly startMs: number;
  readonly trainingMs: number;
  readonly scoringMs: number;
}

/**
 * Estimates times from paces, perhaps of another machine, and corrects them by what was measured on this one: training by
 * the runs most like it, scoring by runs of the same task.
 */
export class Forecast {
  readonly #paces: readonly Pace[];
  readonly #workOf: WorkOf;
  readonly #measured = new Map<string, Ratios[]>();
  /** Milliseconds that scoring the base checkpoint of a task took, and of which runs it is. */
  readonly #bases = new Map<string, { readonly config: RunConfig; readonly ms: number }>();

  constructor(workOf: WorkOf, paces: readonly Pace[] = []) {
    this.#workOf = workOf;
    this.#paces = paces;
  }

  /** True where no time was measured yet, here or elsewhere. */
  get isBlank(): boolean {
    return this.#paces.length === 0 && this.#measured.size === 0;
  }

  /** Learns from a run that has ended. */
  note(config: RunConfig, { startedAtStep, startMs, trainingMs, scoringMs }: Timing): void {
    const { training, scoring, until } = this.#workOf(config);
    const startPlanned = this.#plannedMs(config, [until(startedAtStep)]);
    const planned = this.#plannedMs(config, [training]) - startPlanned;
    const ratio = trainingMs / (scoringMs === null ? planned + this.#plannedMs(config, scoring) : planned);
    const isFirst = ![...this.#measured.values()].some(([one]) => one!.task === config.task.id);
    const said = {
      ...kindOf(config, training),
      training: ratio,
      startMs: isFirst ? null : Math.max(0, startMs - ratio * startPlanned),
      scoring: scoringMs === null ? null : scoringMs / this.#plannedMs(config, scoring, ratio),
    };
    const { task, optimizer, rank, flops } = said, key = `${task} ${optimizer} ${rank} ${flops}`;
    this.#measured.set(key, [...this.#measured.get(key) ?? [], said]);
  }

  /** Milliseconds that a part of a run's training took, over those that were planned: of the steps after one to another. */
  ratioOf(config: RunConfig, [after, to]: readonly [number, number], ms: number): number {
    const { until } = this.#workOf(config);
    return ms / (this.#plannedMs(config, [until(to)]) - this.#plannedMs(config, [until(after)]));
  }

  /** The share of a run's training that is planned to be over after a step. */
  shareUntil(config: RunConfig, step: number): number {
    const { training, until } = this.#workOf(config);
    return this.#plannedMs(config, [until(step)]) / this.#plannedMs(config, [training]);
  }

  /** Learns from the score of a run's base checkpoint: how its task is scored, until a run has told better. */
  noteBase(config: RunConfig, ms: number): void {
    this.#bases.set(config.task.id, { config, ms });
  }

  /** Learns from what is stored of a run. */
  noteResult(config: RunConfig, result: RunResult | undefined): void {
    if (result?.status !== "done") return;
    const { totalMs, scoringMs } = result.outcome.cost;
    this.note(config, {
      startedAtStep: 0,
      startMs: 0,
      trainingMs: totalMs - (scoringMs ?? 0),
      scoringMs: scoringMs ?? null,
    });
  }

  /**
   * Milliseconds of a run's parts; null where nothing is known.
   *
   * @param current a run that is under way, and what it says of itself
   */
  partsOf(config: RunConfig, current: Current | null = null): Parts | null {
    const { training, scoring } = this.#workOf(config), kind = kindOf(config, training);
    const groups: readonly (readonly Said[])[] = [
      ...this.#measured.values(),
      ...current
        ? [[{ ...kindOf(current.config, this.#workOf(current.config).training), training: current.ratio }]]
        : [],
    ];
    const own = config === current?.config
      ? [{ training: current.ratio }]
      : nearest(groups, kind, ([first]) => first!).flat();
    if (own.length === 0 && this.#paces.length === 0) return null;
    const ratio = middle(own.map((one) => one.training)) ?? 1;
    const scored = [...this.#measured.values()].flat().filter(({ task }) => task === kind.task)
      .flatMap((one) => one.scoring ?? []);
    const later = [...this.#measured.values()].flat().filter(({ startMs }) => startMs !== null);
    const starts = nearest(later, kind, (one) => one).map(({ startMs }) => startMs!);
    return {
      startMs: middle(starts) ?? 0,
      trainingMs: ratio * this.#plannedMs(config, [training]),
      scoringMs: (middle(scored) ?? this.#baseRatio(kind.task, ratio)) *
        this.#plannedMs(config, scoring, ratio),
    };
  }

  /** Milliseconds of scoring a run's base checkpoint, at the pace that was planned. */
  baseMs(config: RunConfig): number {
    return this.#plannedMs(config, this.#workOf(config).baseScoring);
  }

  /** Milliseconds of a run; null where nothing is known. */
  estimateMs(config: RunConfig, current: Current | null = null): number | null {
    const parts = this.partsOf(config, current);
    return parts && parts.startMs + parts.trainingMs + parts.scoringMs;
  }

  /** Milliseconds of all runs together; null where nothing is known. */
  estimateAllMs(configs: Iterable<RunConfig>, current: Current | null = null): number | null {
    // Runs that differ in seed and rate alone take equally long.
    const alike = new Map<RunWork, { readonly config: RunConfig; count: number }>();
    for (const config of configs) {
      const work = this.#workOf(config), found = alike.get(work);
      if (found) found.count++;
      else alike.set(work, { config, count: 1 });
    }
    let sum = 0;
    for (const { config, count } of alike.values()) {
      const ms = this.estimateMs(config, current);
      if (ms === null) return null;
      sum += count * ms;
    }
    return sum;
  }

  /** Measured over planned time of the score of a task's base checkpoint; 1 where it says little. */
  #baseRatio(task: string, ratio: number): number {
    const base = this.#bases.get(task);
    if (!base) return 1;
    const planned = this.#plannedMs(base.config, this.#workOf(base.config).baseScoring, ratio);
    return planned < LEAST_BASE ? 1 : base.ms / planned;
  }

  #plannedMs(config: RunConfig, passes: readonly Passes[], ratio = 1): number {
    const kind = kindOf(config, this.#workOf(config).training);
    const paces = nearest(this.#paces, kind, (pace) => pace).map(({ msPerFlop }) => msPerFlop);
    return msOf(passes, ratio * (paces.length > 0 ? mean(paces) : UNKNOWN_PACE));
  }
}

function kindOf({ task, optimizer }: RunConfig, { flops }: Passes): Kind {
  return { task: task.id, optimizer: optimizer.id, rank: rankOf(optimizer), flops };
}

/** Those most like a run: of the same task, method and rank, else task and method, else task, else any; of them the nearest in size. */
function nearest<T>(all: readonly T[], wanted: Kind, kindOf: (one: T) => Kind): readonly T[] {
  const sameTask = all.filter((one) => kindOf(one).task === wanted.task);
  const sameMethod = sameTask.filter((one) => kindOf(one).optimizer === wanted.optimizer);
  const sameRank = sameMethod.filter((one) => kindOf(one).rank === wanted.rank);
  const group = [sameRank, sameMethod, sameTask, all].find((group) => group.length > 0) ?? [];
  const distances = group.map((one) => Math.abs(Math.log(wanted.flops / kindOf(one).flops)));
  const least = distances.reduce((least, one) => Math.min(least, one), Infinity);
  return group.filter((_, i) => distances[i] === least);
}

/** The middle value, of two the lower: a machine that does something else besides is slow now and then, and never fast. */
function middle(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1];
}

/** A time for people: "45 s", "3 min 20 s", "1 h 5 min". */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
}

/** Milliseconds of a time such as "90s", "10m" or "1h"; null where a text is none. */
export function readDuration(text: string): number | null {
  const [, count, unit] = /^(\d+\.?\d*|\.\d+)([smh])$/.exec(text) ?? [], value = Number(count);
  return value > 0 ? value * { s: 1000, m: 60_000, h: 3_600_000 }[unit as "s" | "m" | "h"] : null;
}
