/** @file How far a sweep is, from what lies in its folder: pure. */
import type { Live } from "../sweep/live.ts";
import type { PlannedRun } from "../sweep/plan.ts";
import { formatDuration } from "../cost/estimate.ts";
import { nameRun } from "../sweep/progress.ts";
import { formatCount } from "../report/format.ts";
import { isFinished } from "../sweep/runner.ts";
import type { Contents, StoredRun } from "./sweep_folder.ts";

/** What a sweep's process does, or how it ended. */
export type State = "waiting" | "running" | "done" | "interrupted" | "failed" | "killed" | "unknown";

/** How far a sweep is. */
export interface Overview {
  readonly state: State;
  /** The state for people. */
  readonly sentences: readonly string[];
  readonly counts: Counts;
  /** Milliseconds; null where nobody knows, or nothing runs. */
  readonly toGoMs: number | null;
  /** Runs of this sweep that are stored, the latest first. */
  readonly stored: readonly StoredRun[];
  /** Runs at work, those of the process that began first before the others. */
  readonly running: readonly RunningRun[];
  /** Processes that live. */
  readonly workers: number;
  /** What they say of themselves. */
  readonly lives: readonly Live[];
  /** When the first of them began, and when all runs should be made, in milliseconds since 1970; null where nobody knows. */
  readonly begunAt: number | null;
  readonly endsAt: number | null;
}

/** A run at work. */
export interface RunningRun extends PlannedRun {
  /** What its process says of it. */
  readonly live: NonNullable<Live["run"]>;
  readonly worker: string;
}

/** Runs of the plan; of all that is stored where there is no plan. */
export interface Counts {
  /** Null where there is no plan. */
  readonly total: number | null;
  readonly done: number;
  readonly diverged: number;
  /** Failed in this go of the sweep, or for good where nothing runs. */
  readonly failed: number;
  readonly running: number;
  /** Null where there is no plan. */
  readonly left: number | null;
}

/** Silence that a page speaks about: several times the rhythm in which a sweep at work writes. */
const LONG_SILENCE_MS = 20_000;

/** @param now milliseconds since 1970 */
export function overviewOf({ plan, runs, unread, pulse, others }: Contents, now: number): Overview {
  const { live, isAlive } = pulse;
  const planned = new Map(plan?.runs.map((run) => [run.id, run]));
  const own = [...runs.values()].filter(({ id }) => !plan || planned.has(id));
  const state = stateOf();
  const lives = state === "running" ? [pulse, ...others].flatMap(({ live }) => live ? [live] : []) : [];
  const running = lives.flatMap(({ run: live, worker }): RunningRun[] => {
    const run = live && planned.get(live.id);
    return run ? [{ ...run, live, worker }] : [];
  });
  const atWork = new Set(running.map(({ id }) => id));
  const begun = lives.map(({ startedAt }) => startedAt).sort()[0];
  const lost = live?.run && state === "killed" ? planned.get(live.run.id) : undefined;
  // What failed before this go is tried again in it.
  const isTriedAgain = (run: StoredRun) =>
    run.status === "failed" &&
    (atWork.has(run.id) || (begun !== undefined && run.startedAt < begun));
  const count = (status: StoredRun["status"]) =>
    own.filter((run) => run.status === status && !isTriedAgain(run)).length;
  const [done, diverged, failed] = [count("done"), count("diverged"), count("failed")];
  const total = plan ? plan.runs.length : null;
  const counts = {
    total,
    done,
    diverged,
    failed,
    running: running.length,
    left: total === null ? null : total - done - diverged - failed - running.length,
  };
  const silenceMs = live ? Math.max(0, now - Date.parse(live.updatedAt)) : 0;
  const toGoMs = state === "running" && live?.toGoMs != null ? Math.max(0, live.toGoMs - silenceMs) : null;
  return {
    state,
    sentences: [...describe(), ...notes()],
    counts,
    toGoMs,
    stored: own.toSorted((a, b) => b.startedAt < a.startedAt ? -1 : b.startedAt > a.startedAt ? 1 : 0),
    running,
    workers: lives.length,
    lives,
    begunAt: begun === undefined ? null : Date.parse(begun),
    endsAt: toGoMs === null ? null : now + toGoMs,
  };

  function stateOf(): State {
    if (isAlive) return "running";
    if (live) return live.ending?.status ?? "killed";
    return plan || runs.size > 0 || pulse.fault !== null ? "unknown" : "waiting";
  }

  function describe(): string[] {
    switch (state) {
      case "waiting":
        return ["Nothing is here yet"];
      case "running": {
        const doing = {
          "base checkpoints": "Scoring base checkpoints before fine-tuning",
          runs: toGoMs === null ? "Running" : `Running, about ${formatDuration(toGoMs)} to go`,
          report: "All runs are made: writing the report",
        }[live?.stage ?? "runs"];
        const shared = lives.length > 1 ? [`${lives.length} processes share it`] : [];
        return silenceMs < LONG_SILENCE_MS ? [doing, ...shared] : [
          doing,
          ...shared,
          `Its process lives, but has said nothing for ${
            formatDuration(silenceMs)
          }: it is in a long step, or stopped`,
        ];
      }
      case "done":
        return ["Done"];
      case "interrupted":
        return ["Stopped with Ctrl-C: the same command goes on from here"];
      case "failed":
        return [`Ended by a fault: ${live?.ending?.status === "failed" ? live.ending.error : ""}`];
      case "killed":
        return [
          `Its process is gone without a last word, killed or with its machine: last heard of ${
            formatDuration(silenceMs)
          } ago`,
          ...lost
            ? [
              `It was at ${
                nameRun(lost.config)
              }, step ${live?.run?.step}: that run goes on from its last checkpoint, or begins again`,
            ]
            : [],
          "The same command goes on from here",
        ];
      case "unknown":
        return [
          plan && plan.runs.every(({ id }) => isFinished(runs.get(id)))
            ? "All its runs are stored"
            : "Nothing here tells whether it runs: it was made before sweeps said so, or copied without live/",
        ];
    }
  }

  function notes(): string[] {
    const foreign = runs.size - own.length;
    return [
      ...plan?.search && state !== "done"
        ? [
          "A search decides which of these runs are made, round by round: fewer than all, and the time is this round's",
        ]
        : [],
      ...unread > 0 ? [`${formatCount(unread, "stored run")} still to be read`] : [],
      ...foreign > 0 ? [`Left out: ${formatCount(foreign, "stored run")} of other sweeps`] : [],
      ...plan || state === "waiting"
        ? []
        : ["It has no sweep.json that can be used: how many runs it has is not known"],
    ];
  }
}
