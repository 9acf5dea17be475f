/** @file Scores of base checkpoints before fine-tuning: once for each task, model, number of examples and split. */
import { canonicalJson } from "../../files/canonical_json.ts";
import { type BaseConfig, type BaseResult, recordId, type RunConfig } from "../../training/run.ts";
import { BaseResult as BaseSchema } from "../../training/schemas.ts";
import { growingTasks } from "../cost/growth/points.ts";
import { isUserFault } from "../../errors/fault.ts";
import { KeptGpu } from "./kept_gpu.ts";
import type { RunDeps } from "./runner.ts";
import { type CheckpointPlace, removeCheckpoints } from "../../training/checkpoint/checkpoints.ts";
import { Interrupted } from "../../training/checkpoint/interrupted.ts";
import { Queue, type Sharing } from "./queue.ts";
import type { Store, Stored } from "./store.ts";

/** The base that a run starts from, scored on the first slice of test examples; null for resized models, which start from random weights. */
export function baseOf({ task, model, scoreOn, memory, targetModules }: RunConfig): BaseConfig | null {
  const { width, layers, ...ownModel } = model, { testSlice: _, ...ownTask } = task;
  if (width !== undefined || layers !== undefined) return null;
  const { frozenWeights = "f32", frozenEmbeddings = "f32" } = memory ?? {};
  const kept = {
    ...frozenWeights !== "f32" && { frozenWeights, targetModules },
    ...frozenEmbeddings !== "f32" && { frozenEmbeddings },
  };
  return { schema: 1, task: ownTask, model: ownModel, ...kept, scoreOn };
}

/** The bases of some runs, each once, in their order. Tasks that are run with models of several sizes have none. */
export function basesOf(runs: readonly RunConfig[]): BaseConfig[] {
  const growing = growingTasks(runs);
  const bases = runs.filter(({ task }) => !growing.has(task.id)).map(baseOf).filter((base) => base !== null);
  return [...new Map(bases.map((base) => [canonicalJson(base), base])).values()];
}

/**
 * Scores the bases that the store lacks or has as failed, and stores each as it is done. One that throws is stored as
 * failed, unless the fault is the user's. Opens no GPU where nothing is left to do.
 *
 * @param signal where it aborts, the base at work ends once its answers so far are kept in `checkpoints`, or is given up
 * where none are given
 * @param sharing claims each base before it is scored, and leaves to others what they are at
 * @param say takes a sentence for people
 * @param onWait called before it waits for others
 * @param onScored takes how many milliseconds a score took
 * @param kept a GPU that stays open afterwards; where absent, one is opened, and closed at the end
 */
export async function scoreBases<G extends AsyncDisposable>(
  bases: readonly BaseConfig[],
  store: Store<BaseResult>,
  stored: Stored<BaseResult>,
  deps: RunDeps<G>,
  { signal, say, checkpoints, sharing = null, onScored = () => {}, onWait = () => {}, kept }: {
    readonly signal: AbortSignal;
    readonly checkpoints?: CheckpointPlace;
    readonly sharing?: Sharing | null;
    readonly say: (sentence: string) => void;
    readonly onWait?: () => void;
    readonly onScored?: (base: BaseConfig, ms: number) => void;
    readonly kept?: KeptGpu<G>;
  },
): Promise<void> {
  const interruption = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => checkpoints || resolve(null), { once: true });
  });
  const keeping = { signal, ...(checkpoints && { checkpoints }) };
  const gpus = kept ?? new KeptGpu(deps.open, signal);
  try {
    const named = await Promise.all(bases.map(async (config) => ({ id: await recordId(config), config })));
    const left = named.filter(({ id }) => stored.results.get(id)?.status !== "done");
    const queue = new Queue<typeof left[number], BaseResult>(left, store, stored.results, {
      sharing,
      signal,
      onWait,
    });
    for (let taken; (taken = await queue.next()) !== null;) {
      const { item: { id, config }, claim } = taken;
      await using _ = { [Symbol.asyncDispose]: () => claim.release() };
      const gpu = await gpus.get();
      const name = `${config.model.id} on ${config.task.id} before fine-tuning`;
      let result: BaseResult | null;
      const begunAt = performance.now();
      try {
        result = await Promise.race([deps.scoreBase(gpu, config, keeping), interruption]);
        if (result === null) break;
        result = BaseSchema.parse(result);
        onScored(config, performance.now() - begunAt);
        if (result.status === "done") say(`${name}: score ${result.score.toFixed(3)}`);
      } catch (error) {
        if (error instanceof Interrupted) break;
        if (isUserFault(error)) throw error;
        const message = error instanceof Error ? error.message : String(error);
        const environment = await deps.environment(gpu);
        result = { schema: 1, id, config, environment, status: "failed", error: message };
        say(`${name}: failed (${message})`);
        await gpus.close();
      }
      await store.put(result);
      if (checkpoints && result.status === "done") await removeCheckpoints(checkpoints.folder, id);
    }
    const names = sharing?.waits ? await store.names() : null;
    await sharing?.claims.forget((id) =>
      stored.results.get(id)?.status === "done" || (names?.has(id) ?? false)
    );
  } finally {
    if (!kept) await gpus[Symbol.asyncDispose]();
  }
}
