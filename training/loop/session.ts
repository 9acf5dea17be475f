/** @file One run on a GPU: the model is made, the method attached, the loop taken, the score told; nothing of it stays. */
import type { Gpu } from "../../gpu/gpu.ts";
import { byteLength, elementCount, type Tensor } from "../../gpu/tensor.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { Model, TargetModule } from "../../models/model.ts";
import type { WeightSource } from "../../models/weights.ts";
import type { InputsOf, LoftqStart, OptimizerModule } from "../../optimizers/optimizer.ts";
import { copyWeight } from "../../optimizers/module_weight.ts";
import type { Task, TaskData } from "../../tasks/task.ts";
import { openKeeper, readWritten, validateBuffers, writeSaved } from "../checkpoint/keeper.ts";
import { matchTargetModules } from "../configuration.ts";
import { requireKnownPretraining } from "../known_pretraining.ts";
import { precisionsOf } from "./bindings.ts";
import { corpusOf, loadCorpus, retainedExamples } from "../resolve/corpus.ts";
import { loadExamples, rowLengthsOf } from "../resolve/examples.ts";
import { withHead } from "../resolve/heads.ts";
import { type Forgetting, type RunConfig, runId, type RunOutcome } from "../run.ts";
import type { Retained } from "../scoring/forgetting.ts";
import { changesOf } from "../telemetry/change.ts";
import { PeakMeter } from "../telemetry/meters.ts";
import { sharpnessOf } from "../telemetry/sharpness.ts";
import { readWeights } from "../telemetry/telemetry.ts";
import { attach } from "./attach.ts";
import { adaptedForward, withMemory } from "./forward.ts";
import { TrainedKeeper } from "./trained.ts";
import { type Curves, Loop, type LoopState } from "./loop.ts";
import type { Progress, TrainHooks } from "./progress.ts";

/** The parts of a run, looked up. */
export interface RunParts {
  readonly task: Task;
  readonly entry: ModelEntry;
  readonly module: OptimizerModule;
  readonly source: WeightSource;
  /** What the weights were pre-trained on; null or absent where nobody knows. */
  readonly retained?: Retained | null;
  /** Receives the trained model before it is freed. */
  readonly onTrained?: (model: Model) => Promise<void>;
}

/** What a run found, before it is put in its record. */
export interface Session extends Omit<RunOutcome, "score" | "cost"> {
  readonly divergedAt: number | null;
  readonly cost: Omit<RunOutcome["cost"], "totalMs">;
  /** Milliseconds that the run took before it was interrupted; 0 where it was not. */
  readonly earlierMs: number;
}

/** What a checkpoint of a run has beside the GPU's buffers. */
interface SessionState {
  readonly loop: LoopState;
  /** `HostState.save` of the method. */
  readonly method: unknown;
  readonly peak: ReturnType<PeakMeter["read"]>;
  readonly attachMs: number;
  readonly kernels: readonly string[];
  /** Milliseconds so far. */
  readonly ms: number;
}

/**
 * Trains and scores; everything that it allocates on the GPU is freed when it returns. Goes on from a checkpoint where
 * there is one.
 *
 * @throws {Interrupted} where the run's signal asked it to stop
 */
export async function runSession(
  gpu: Gpu,
  config: RunConfig,
  parts: RunParts,
  hooks: TrainHooks,
): Promise<Session> {
  const { module } = parts, begun = performance.now();
  const report = (
    phase: Progress["phase"],
    step: number,
    { trainLoss, validationLoss, discrepancies }: Curves,
  ) => {
    const loss = trainLoss.at(-1)?.value ?? null;
    hooks.onProgress?.({ phase, step, steps: config.steps, loss, trainLoss, validationLoss, discrepancies });
  };
  report("loading", 0, { trainLoss: [], validationLoss: [], discrepancies: [] });
  const data = await loadExamples(parts.task, parts.entry, config);
  const entry = await withHead(gpu, config.model, parts.entry, data, parts.source);

  const peak = new PeakMeter(gpu);
  gpu.resetWork();
  const keeper = await openKeeper(gpu, hooks.checkpoints ? await runId(config) : "", hooks);
  try {
    using _run = gpu.scope("run", "weights");
    const model = entry.create(
      gpu,
      parts.source,
      precisionsOf(config.targetModules, config.memory, entry),
    );
    const targetModules = matchTargetModules(config.targetModules, model.targetModules);
    // A start that is a step of its own counts as change: elsewhere it would only add the rounding of a rewritten weight.
    const read = (moved: boolean, weightOf: (targetModule: TargetModule) => Tensor) =>
      peak.without(async () =>
        config.telemetryEvery > 0 && moved === (module.startsMoved ?? false)
          ? await readWeights(gpu, targetModules, weightOf)
          : null
      );
    const given = await read(true, (targetModule) => copyWeight(gpu, targetModule));
    const readAll = () =>
      peak.without(() => readWeights(gpu, targetModules, (module) => copyWeight(gpu, module)));
    const trained = hooks.onTrained &&
      new TrainedKeeper(gpu, targetModules, await readAll(), model.parameters);
    await gpu.flush();
    const attachBegun = performance.now();
    const loftq = loftqOf(config, entry, parts.source);
    const dataOf = (of: InputsOf) => of === "task" ? data : pretrainedOn(config, entry);
    const optimizer = await attach(gpu, config, { module, model, targetModules, data, dataOf, loftq });
    await gpu.flush();
    let attachMs = performance.now() - attachBegun;
    await trained?.begin(optimizer, await readAll());
    const starts = given ?? await read(false, (targetModule) => optimizer.effectiveWeight(targetModule)) ??
      new Map();

    const run = new Loop({
      gpu,
      config,
      model,
      optimizer,
      targetModules,
      data,
      starts,
      peak,
      report,
      keeper,
    });
    const { sharpness: lanczosSteps } = config;
    const sharpness = lanczosSteps === undefined ? undefined : await peak.without(() =>
      sharpnessOf(gpu, {
        model,
        optimizer,
        batch: data.trainBatch(1, config.batchSize),
        forward: withMemory((tape) => adaptedForward(tape, optimizer, new Set(targetModules)), config.memory),
        config: { ...config, sharpness: lanczosSteps },
      })
    );
    using log = gpu.logWrites();
    const { hostState } = optimizer;
    let kernels: readonly string[] = [], earlierMs = 0;
    const saved = hostState ? await keeper.load(({ buffers }) => validateBuffers(log, buffers)) : null;
    if (saved && hostState) {
      const host = saved.host as SessionState;
      writeSaved(gpu, log, saved.buffers);
      hostState.restore(host.method);
      peak.restore(host.peak);
      await run.restore(host.loop);
      ({ attachMs, kernels, ms: earlierMs } = host);
      hooks.checkpoints!.say(
        `Run ${await runId(config)} goes on after step ${saved.step} of ${config.steps}`,
      );
    }
    const kernelsSoFar = () => [...new Set([...kernels, ...gpu.work.kernels])].sort();
    keeper.begin(
      hostState
        ? async () => {
          const host: SessionState = {
            loop: run.save(),
            method: hostState.save(),
            peak: peak.read(),
            attachMs,
            kernels: kernelsSoFar(),
            ms: earlierMs + performance.now() - begun,
          };
          return { step: run.step, host, buffers: await readWritten(gpu, log, run.scratch) };
        }
        : `Cannot keep runs of "${module.id}" that are interrupted: the method does not say what it keeps outside the ` +
          `GPU (hostState); they start again`,
    );
    const divergedAt = await run.train(), medianStepMs = run.clock.medianStepMs();
    const cost = {
      trainableParameters: optimizer.trainable.reduce((sum, { value }) => sum + elementCount(value.shape), 0),
      stateBytes: optimizer.state.reduce((sum, { value }) => sum + byteLength(value), 0),
      // Attaching alone is no peak of training.
      ...medianStepMs === null ? { peakBytes: null, peakBytesByCategory: {} } : peak.read(),
      attachMs,
      medianStepMs,
      medianHostMs: run.clock.medianHostMs(),
      ...(run.clock.isFirstAlone() && { onlyFirstWindow: true as const }),
    };
    if (divergedAt === null) {
      await parts.onTrained?.(model);
      if (trained) await hooks.onTrained!(await trained.read(optimizer));
    }
    report("scoring", config.steps, run);
    const scoringBegun = performance.now();
    const { scores, measures } = divergedAt === null
      ? await peak.without(() => run.score(parts.task))
      : { scores: [], measures: undefined };
    const testLoss = divergedAt === null ? await peak.without(() => run.testLoss()) : null;
    const ran = kernelsSoFar(),
      forgetting = divergedAt === null && parts.retained
        ? await peak.without(() => forgettingOf(run, parts.retained!))
        : undefined;
    const changes = divergedAt === null && config.telemetryEvery > 0
      ? await peak.without(async () => {
        const weightOf = (targetModule: TargetModule) => optimizer.effectiveWeight(targetModule);
        return changesOf(starts, await readWeights(gpu, targetModules, weightOf));
      })
      : undefined;
    const scoringMs = performance.now() - scoringBegun, rows = rowLengthsOf(data);
    return {
      divergedAt,
      scores,
      testLoss,
      ...(measures && { measures }),
      ...(forgetting && { forgetting }),
      ...(sharpness && { sharpness }),
      trainLoss: run.trainLoss,
      validationLoss: run.validationLoss,
      discrepancies: run.discrepancies,
      ...(changes && { changes }),
      inspected: run.inspected,
      kernels: ran,
      ...(data.source && { data: data.source }),
      ...(rows && { rows }),
      cost: { ...cost, scoringMs },
      earlierMs,
    };
  } finally {
    gpu.trim();
  }
}

async function forgettingOf(run: Loop, { corpus, before, batches }: Retained): Promise<Forgetting> {
  return { corpus, before, after: await run.lossOn(batches) };
}

/** What the weights were pre-trained on. @throws {UserError} where nobody knows */
function pretrainedOn({ optimizer, model, ...config }: RunConfig, entry: ModelEntry): Promise<TaskData> {
  requireKnownPretraining(optimizer.id, entry, model);
  return loadCorpus(corpusOf(entry, model)!, entry.recipe!.seed, retainedExamples(config));
}

/** LoftQ's start, where a run asks for it: weights are read once more as the checkpoint has them. */
function loftqOf(
  { memory }: RunConfig,
  { parameters }: Pick<ModelEntry, "parameters">,
  source: WeightSource,
): LoftqStart | null {
  if (!memory?.loftq) return null;
  return {
    steps: memory.loftq,
    weightOf(targetModule) {
      const suffix = `.${targetModule.name}.weight`;
      const { name, shape } = parameters.find(({ name }) => `.${name}`.endsWith(suffix))!;
      return source(name, shape);
    },
  };
}
