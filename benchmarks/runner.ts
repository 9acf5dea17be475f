/** @file Runs what the store lacks, in order. */
import type { BaseConfig, BaseResult, Environment, RunConfig } from "../training/run.ts";
import { RunResult } from "../training/schemas.ts";
import { isUserFault } from "./fault.ts";
import { type CountFlops, estimateAllMs, estimateMs, type Pace, pacesOf } from "./estimate.ts";
import type { PlannedRun } from "./plan.ts";
import type { Display, TrainProgress } from "./progress.ts";
import type { Store, Stored } from "./store.ts";

/** What the runner needs of training: injected, so that it can be tested without a GPU. */
export interface Workshop<G extends AsyncDisposable> {
  /** Opens a GPU. It is closed and opened again after a run that failed. */
  open(): Promise<G>;
  /** One run. Throws on faults; returns "done" or "diverged" otherwise. */
  train(
    gpu: G,
    config: RunConfig,
    hooks: { onProgress: (progress: TrainProgress) => void },
  ): Promise<RunResult>;
  /** The score of a base checkpoint before fine-tuning. Throws on faults. */
  scoreBase(gpu: G, config: BaseConfig): Promise<BaseResult>;
  /** Where runs are made, for the record of a run that failed before it could say so itself. */
  environment(gpu: G): Promise<Environment>;
}

/** How a sweep went. */
export interface SweepOutcome {
  /** Results of this sweep's runs, stored before or made now, by run id. */
  readonly results: ReadonlyMap<string, RunResult>;
  /** Runs made now. */
  readonly ran: number;
  readonly interrupted: boolean;
}

/** True where a run need not run again. */
export function isFinished(result: Pick<RunResult, "status"> | undefined): boolean {
  return result?.status === "done" || result?.status === "diverged";
}

/**
 * Runs those of `runs` that the store lacks or has as failed, and stores each as it ends.
 *
 * A run that throws is stored as failed and the next one gets a new GPU, unless the fault is the user's (a broken
 * checkpoint, say): that ends the sweep. When `signal` aborts, the run at work is given up, unstored.
 *
 * @param paces what is known about running times, for the time to go
 * @param countFlops how runs of different sizes compare
 */
export async function runSweep<G extends AsyncDisposable>(
  runs: readonly PlannedRun[],
  store: Store,
  stored: Stored,
  workshop: Workshop<G>,
  display: Display,
  options: {
    readonly signal: AbortSignal;
    readonly paces?: readonly Pace[];
    readonly countFlops?: CountFlops;
  },
): Promise<SweepOutcome> {
  const { signal, paces: earlier = [], countFlops } = options;
  const results = new Map(
    runs.flatMap(({ id }) => stored.results.has(id) ? [[id, stored.results.get(id)!]] : []),
  );
  const left = runs.filter(({ id }) => !isFinished(results.get(id)));
  const interruption = new Promise<"interrupted">((resolve) => {
    if (signal.aborted) resolve("interrupted");
    signal.addEventListener("abort", () => resolve("interrupted"), { once: true });
  });
  let gpu: G | null = null;
  let ran = 0;
  display.begin({ done: runs.length - left.length, total: runs.length });
  try {
    for (const [index, { id, config }] of left.entries()) {
      if (signal.aborted) break;
      gpu ??= await workshop.open();
      const measured = pacesOf(results.values(), countFlops);
      const paces = measured.length > 0 ? measured : earlier;
      const later = left.slice(index + 1).map((run) => run.config);
      const startedAt = performance.now();
      display.start({ id, config });
      const onProgress = (progress: TrainProgress) =>
        display.update(
          progress,
          timeToGo(config, later, { paces, countFlops }, progress, performance.now() - startedAt),
        );
      let result: RunResult | "interrupted";
      try {
        result = await Promise.race([workshop.train(gpu, config, { onProgress }), interruption]);
        if (result !== "interrupted") result = checked(result);
      } catch (error) {
        if (isUserFault(error)) throw error;
        result = await describeFailure(id, config, error, workshop, gpu);
        const broken: G = gpu;
        gpu = null;
        // The device may be what failed: closing it may fail too, and there is nothing more to be done about it.
        await Promise.resolve(broken[Symbol.asyncDispose]()).catch(() => {});
      }
      if (result === "interrupted") break;
      await store.put(result);
      results.set(id, result);
      ran++;
      display.finish(result, performance.now() - startedAt);
    }
  } finally {
    display.end();
    if (!signal.aborted) await gpu?.[Symbol.asyncDispose]();
  }
  return { results, ran, interrupted: signal.aborted };
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
  workshop: Workshop<G>,
  gpu: G,
): Promise<RunResult> {
  const environment = await workshop.environment(gpu);
  const message = error instanceof Error ? error.message : String(error);
  return { schema: 1, id, config, environment, status: "failed", error: message };
}

/** Milliseconds until all is done; from this run's own pace where no other is known, null before its first step. */
function timeToGo(
  config: RunConfig,
  later: readonly RunConfig[],
  known: { readonly paces: readonly Pace[]; readonly countFlops: CountFlops | undefined },
  progress: TrainProgress,
  elapsed: number,
): number | null {
  const { paces, countFlops } = known;
  const rest = estimateAllMs(later, paces, countFlops);
  if (rest !== null) return rest + Math.max(0, estimateMs(config, paces, countFlops)! - elapsed);
  if (progress.step === 0) return null;
  const steps = config.steps - progress.step + later.reduce((sum, run) => sum + run.steps, 0);
  return steps * elapsed / progress.step;
}
