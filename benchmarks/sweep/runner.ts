/** @file Runs what the store lacks, in order. */
import type { BaseConfig, BaseResult, Environment, RunConfig } from "../../training/run.ts";
import { RunResult } from "../../training/schemas.ts";
import { isUserFault } from "../../errors/fault.ts";
import type { Forecast } from "../cost/estimate.ts";
import { KeptGpu } from "./kept_gpu.ts";
import type { PlannedRun } from "./plan.ts";
import type { Progress, TrainHooks } from "../../training/loop/progress.ts";
import type { Trained } from "../../training/loop/trained.ts";
import { type Display, tellApart } from "./progress.ts";
import { Queue, type Sharing } from "./queue.ts";
import type { Store, Stored } from "./store.ts";
import { RunClock } from "../cost/time_to_go.ts";
import { type CheckpointPlace, removeCheckpoints } from "../../training/checkpoint/checkpoints.ts";
import { Interrupted } from "../../training/checkpoint/interrupted.ts";
import type { KeepingHooks } from "../../training/checkpoint/keeper.ts";

/** What the runner needs of training: injected, so that it can be tested without a GPU. */
export interface RunDeps<G extends AsyncDisposable> {
  /** Opens a GPU. It is closed and opened again after a run that failed. */
  open(): Promise<G>;
  /** One run. Throws on faults, and `Interrupted` where the signal asked it to stop; else it ended or diverged. */
  train(
    gpu: G,
    config: RunConfig,
    hooks: Pick<TrainHooks, "onTrained"> & KeepingHooks & { onProgress: (progress: Progress) => void },
  ): Promise<RunResult>;
  /** The score of a base checkpoint before fine-tuning. Throws as `train` does. */
  scoreBase(gpu: G, config: BaseConfig, hooks: KeepingHooks): Promise<BaseResult>;
  /** Where runs are made, for the record of a run that failed before it could say so itself. */
  environment(gpu: G): Promise<Environment>;
}

/** How a sweep went. */
export interface SweepOutcome {
  /** Results of this sweep's runs, stored before or made now, by run id. */
  readonly results: ReadonlyMap<string, RunResult>;
  /** Runs made now. */
  readonly ran: number;
  /** Runs that others made meanwhile, or are at. */
  readonly others: number;
  readonly interrupted: boolean;
}

/** Milliseconds between two updates of displays, where nothing new is said. */
const UPDATE = 500;

/** True where a run need not run again. */
export function isFinished(result: Pick<RunResult, "status"> | undefined): boolean {
  return result?.status === "done" || result?.status === "diverged";
}

/**
 * Runs those of `runs` that the store lacks or has as failed, and stores each as it ends.
 *
 * A run that throws is stored as failed and the next one gets a new GPU, unless the fault is the user's (a broken
 * checkpoint, say): that ends the sweep. When `signal` aborts, the run at work ends once it is kept in `checkpoints`, and
 * the same command goes on there; it is given up where it has not begun to train, and where none are given.
 *
 * With `sharing` each run is claimed before it is made, and what others make is left to them.
 *
 * @param forecast what is known about running times, for the time to go: it learns from each run
 * @param kept a GPU that stays open afterwards; where absent, one is opened, and closed at the end
 */
export async function runSweep<G extends AsyncDisposable>(
  runs: readonly PlannedRun[],
  store: Store,
  stored: Stored,
  deps: RunDeps<G>,
  display: Display,
  { signal, forecast, checkpoints, sharing = null, keep, kept }: {
    readonly signal: AbortSignal;
    readonly forecast: Forecast;
    readonly checkpoints?: CheckpointPlace;
    readonly sharing?: Sharing | null;
    /** Takes what a run trained, before its result is stored. */
    readonly keep?: (run: PlannedRun, trained: Trained) => Promise<void>;
    readonly kept?: KeptGpu<G>;
  },
): Promise<SweepOutcome> {
  const results = new Map(
    runs.flatMap(({ id }) => stored.results.has(id) ? [[id, stored.results.get(id)!]] : []),
  );
  const queue = new Queue<PlannedRun, RunResult>(
    runs.filter(({ id }) => !isFinished(results.get(id))),
    store,
    new Map(results),
    { sharing, signal, onWait: (others) => display.stage(`Waiting for ${others} runs that others are at`) },
  );
  // True while the run at work has something to keep.
  let isKept = false;
  const interruption = new Promise<"interrupted">((resolve) => {
    if (signal.aborted) resolve("interrupted");
    signal.addEventListener("abort", () => isKept || resolve("interrupted"), { once: true });
  });
  const keeping = { signal, ...(checkpoints && { checkpoints }) };
  const gpus = kept ?? new KeptGpu(deps.open, signal);
  let ran = 0;
  let inHand = 0;
  const countDone = () => runs.length - queue.left.length - inHand;
  const apart = tellApart(runs.map(({ config }) => config));
  display.begin({ done: countDone(), total: runs.length, apart });
  try {
    for (let taken; (taken = await queue.next()) !== null;) {
      const { item: { id, config }, claim } = taken;
      await using _ = { [Symbol.asyncDispose]: () => claim.release() };
      inHand = 1;
      display.count?.(countDone());
      const gpu = await gpus.get();
      const startedAt = performance.now(), clock = new RunClock(forecast, config, startedAt);
      display.start({ id, config });
      let updatedAt = -Infinity;
      isKept = false;
      const onProgress = (progress: Progress) => {
        isKept = checkpoints !== undefined && progress.phase !== "loading";
        const now = performance.now(), isNews = clock.note(progress, now);
        // Scoring reports every token.
        if (!isNews && now - updatedAt < UPDATE) return;
        updatedAt = now;
        display.update(
          progress,
          shareOf(clock.toGo(queue.left.map(({ config }) => config), now), 1 + queue.others),
        );
      };
      const onTrained = keep && { onTrained: (trained: Trained) => keep({ id, config }, trained) };
      let result: RunResult | "interrupted";
      try {
        result = await Promise.race([
          deps.train(gpu, config, { onProgress, ...keeping, ...onTrained }),
          interruption,
        ]);
        if (result !== "interrupted") result = checked(result);
      } catch (error) {
        if (error instanceof Interrupted) break;
        if (isUserFault(error)) throw error;
        result = await describeFailure(id, config, error, deps, gpu);
        await gpus.close();
      }
      if (result === "interrupted") break;
      const endedAt = performance.now(), timing = clock.timing(endedAt);
      if (timing && result.status === "done") forecast.note(config, timing);
      // A process that counted as gone may have been slower than the one that took over: what is stored counts.
      const there = sharing && await store.find(id);
      if (there && isFinished(there)) result = there;
      else await store.put(result);
      if (checkpoints && isFinished(result)) await removeCheckpoints(checkpoints.folder, id);
      results.set(id, result);
      ran++;
      inHand = 0;
      display.finish(result, endedAt - startedAt);
    }
  } finally {
    display.end();
    if (!kept) await gpus[Symbol.asyncDispose]();
  }
  if (sharing?.waits) {
    for (const id of queue.elsewhere) {
      const result = await store.find(id);
      if (result) results.set(id, result);
    }
  }
  await sharing?.claims.forget((id) => isFinished(results.get(id)));
  return { results, ran, others: queue.elsewhere.size + queue.others, interrupted: signal.aborted };
}

/** Time that so many processes share. */
function shareOf(ms: number | null, processes: number): number | null {
  return ms === null ? null : ms / processes;
}

/** A result as the store will want it back: a NaN in a finished run, say, is a fault of ours. */
function checked(result: RunResult): RunResult {
  const parsed = RunResult.safeParse(result);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`Cannot store the run: field "${issue!.path.join(".")}": ${issue!.message}`);
}

async function describeFailure<G extends AsyncDisposable>(
  id: string,
  config: RunConfig,
  error: unknown,
  deps: RunDeps<G>,
  gpu: G,
): Promise<RunResult> {
  const environment = await deps.environment(gpu);
  const message = error instanceof Error ? error.message : String(error);
  return { schema: 1, id, config, environment, status: "failed", error: message };
}
