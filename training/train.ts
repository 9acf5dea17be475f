/** @file One run: the loop that every method goes through. It never asks which method it runs. */
import { createGradients, Tape } from "../autodiff/mod.ts";
import type { GradientStore } from "../autodiff/gradients.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { byteLength, elementCount, type Tensor } from "../gpu/tensor.ts";
import { accumulate, clip, dotInto, recordStep } from "../kernels/mod.ts";
import * as models from "../models/mod.ts";
import type { LinearSite, Model } from "../models/model.ts";
import { baseWeights } from "../models/base_weights.ts";
import type { ModelEntry } from "../models/entry.ts";
import type { WeightSource } from "../models/weights.ts";
import { createRandom } from "../numerics/random.ts";
import * as optimizers from "../optimizers/mod.ts";
import type { Optimizer, OptimizerModule } from "../optimizers/optimizer.ts";
import { copyWeight } from "../optimizers/site_weight.ts";
import * as tasks from "../tasks/mod.ts";
import type { Predictor, Task, TaskData } from "../tasks/task.ts";
import { requireBindings } from "./loop/bindings.ts";
import { completeConfig, matchSites, resolveModel, withDataFingerprint } from "./configuration.ts";
import { differentiate, lossOf, targetCount } from "./loop/differentiate.ts";
import { environmentOf } from "./environment.ts";
import { loadExamples, rowLengthsOf } from "./resolve/examples.ts";
import {
  adaptedForward,
  type ForwardOf,
  measuredForward,
  mergedForward,
  withMemory,
} from "./loop/forward.ts";
import { fullGradientsOf } from "./loop/full_gradient.ts";
import { withHead, withHeadChoice } from "./resolve/heads.ts";
import { lookup } from "./lookup.ts";
import { PeakMeter, StepClock } from "./telemetry/meters.ts";
import { withModelFingerprint, withModelFolders } from "./resolve/model_folders.ts";
import { createPredictor } from "./scoring/predict.ts";
import {
  type Discrepancy,
  type Point,
  type RunConfig,
  runId,
  type RunOutcome,
  type RunResult,
} from "./run.ts";
import { learningRateAt } from "./loop/schedule.ts";
import { scoreExamples } from "./scoring/score_examples.ts";
import { beginMeasurement, readWeights, type StartWeights } from "./telemetry/telemetry.ts";

/** How far a run is. */
export interface Progress {
  /** What is under way. */
  readonly phase: "loading" | "training" | "scoring";
  /** Steps taken. */
  readonly step: number;
  /** Steps to take. */
  readonly steps: number;
  /** The latest loss that was read back; null before the first. */
  readonly loss: number | null;
  /** Losses of the steps' batches as far as they were read back: a list that grows while the run goes on. */
  readonly trainLoss: readonly Point[];
  /** Validation losses so far: a list that grows too. */
  readonly validationLoss: readonly Point[];
}

type Curves = Pick<Progress, "trainLoss" | "validationLoss">;

/** What a caller may watch. */
export interface TrainHooks {
  /** Called now and then, never from inside a step. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Steps between two waits for the GPU. */
const WINDOW = 10;
/** The step after which one more wait tells the steps that compile kernels from the others. */
const START = 2;
/** First steps that telemetry never skips: from B = 0, LoRA-Pro's second step is unlike all others. */
const ALWAYS_MEASURED = 2;
/** Fewest examples of a validation batch: small training batches would waste the GPU there. */
const VALIDATION_BATCH = 64;

/**
 * Runs one config from its base checkpoint, the user's where the model has a path, or from seeded random weights where it
 * has none, to its score. Equal configs on one machine give equal bits.
 *
 * A run whose loss or gradient stops being finite ends as "diverged": a finding about the method.
 *
 * @throws {UserError} for configs that name unknown things or ask for the impossible, a task among them whose vocabulary,
 * classes or lengths are not the model's, before the GPU is used
 * @throws {CheckpointError} where the model's folder cannot be read, or does not fit its own config
 */
export async function train(gpu: Gpu, config: RunConfig, hooks: TrainHooks = {}): Promise<RunResult> {
  const begun = performance.now();
  const known: Readonly<Record<string, ModelEntry>> = await withModelFolders([config], { ...models });
  const registries = { tasks: { ...tasks }, models: known, optimizers };
  const complete = await withHeadChoice(
    await withDataFingerprint(
      await withModelFingerprint(completeConfig(config, registries)),
      registries.tasks,
    ),
    registries,
  );
  const entry = resolveModel(complete.model, known);
  requireBindings(gpu, entry);
  const environment = await environmentOf(gpu);
  const session = await runSession(gpu, complete, {
    task: lookup<Task>("task", tasks, complete.task.id),
    entry,
    module: lookup<OptimizerModule>("optimizer", optimizers, complete.optimizer.id),
    source: await baseWeights(entry),
  }, hooks);
  const header = { schema: 1, id: await runId(complete), config: complete, environment } as const;
  if (session.divergedAt !== null) {
    return { ...header, status: "diverged", step: session.divergedAt, trainLoss: session.trainLoss };
  }
  const { scores } = session;
  const outcome: RunOutcome = {
    score: scores.reduce((sum, score) => sum + score, 0) / scores.length,
    scores,
    ...(session.measures && { measures: session.measures }),
    trainLoss: session.trainLoss,
    validationLoss: session.validationLoss,
    discrepancies: session.discrepancies,
    inspected: session.inspected,
    kernels: session.kernels,
    ...(session.data && { data: session.data }),
    ...(session.rows && { rows: session.rows }),
    cost: { ...session.cost, totalMs: performance.now() - begun },
  };
  return { ...header, status: "done", outcome };
}

/** The parts of a run, looked up. */
export interface RunParts {
  readonly task: Task;
  readonly entry: ModelEntry;
  readonly module: OptimizerModule;
  readonly source: WeightSource;
  /** Receives the trained model before it is freed. */
  readonly onTrained?: (model: Model) => Promise<void>;
}

/** What a run found, before it is put in its record. */
export interface Session extends Omit<RunOutcome, "score" | "cost"> {
  readonly divergedAt: number | null;
  readonly cost: Omit<RunOutcome["cost"], "totalMs">;
}

/** Trains and scores; everything that it allocates on the GPU is freed when it returns. */
export async function runSession(
  gpu: Gpu,
  config: RunConfig,
  parts: RunParts,
  hooks: TrainHooks,
): Promise<Session> {
  const { module } = parts;
  const report = (phase: Progress["phase"], step: number, { trainLoss, validationLoss }: Curves) => {
    const loss = trainLoss.at(-1)?.value ?? null;
    hooks.onProgress?.({ phase, step, steps: config.steps, loss, trainLoss, validationLoss });
  };
  report("loading", 0, { trainLoss: [], validationLoss: [] });
  const data = await loadExamples(parts.task, parts.entry, config);
  const entry = await withHead(gpu, config.model, parts.entry, data, parts.source);

  const peak = new PeakMeter(gpu);
  gpu.resetWork();
  try {
    using _run = gpu.scope("run", "weights");
    const model = entry.create(gpu, parts.source, halfSites(config, entry));
    const sites = matchSites(config.sites, model.sites);
    // A start that is a step of its own counts as change: elsewhere it would only add the rounding of a rewritten weight.
    const read = (moved: boolean, weightOf: (site: LinearSite) => Tensor) =>
      peak.without(async () =>
        config.telemetryEvery > 0 && moved === (module.startsMoved ?? false)
          ? await readWeights(gpu, sites, weightOf)
          : null
      );
    const given = await read(true, (site) => copyWeight(gpu, site));
    await gpu.flush();
    const attachBegun = performance.now();
    const optimizer = await attach(gpu, config, module, model, sites, data);
    await gpu.flush();
    const attachMs = performance.now() - attachBegun;
    const starts = given ?? await read(false, (site) => optimizer.effectiveWeight(site)) ?? new Map();

    const run = new Loop(gpu, config, model, optimizer, sites, data, starts, peak, report);
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
    if (divergedAt === null) await parts.onTrained?.(model);
    report("scoring", config.steps, run);
    const scoringBegun = performance.now();
    const { scores, measures } = divergedAt === null
      ? await run.score(parts.task)
      : { scores: [], measures: undefined };
    const scoringMs = performance.now() - scoringBegun, rows = rowLengthsOf(data);
    return {
      divergedAt,
      scores,
      ...(measures && { measures }),
      trainLoss: run.trainLoss,
      validationLoss: run.validationLoss,
      discrepancies: run.discrepancies,
      inspected: run.inspected,
      kernels: gpu.work.kernels,
      ...(data.source && { data: data.source }),
      ...(rows && { rows }),
      cost: { ...cost, scoringMs },
    };
  } finally {
    gpu.trim();
  }
}

/** Names of the maps whose weights are kept in 16-bit floats: the adapted ones, where their weights are frozen. */
function halfSites({ sites, memory }: RunConfig, entry: ModelEntry): ReadonlySet<string> {
  return new Set(
    memory?.frozenWeights === "f16" ? matchSites(sites, entry.sites()).map(({ name }) => name) : [],
  );
}

function attach(
  gpu: Gpu,
  config: RunConfig,
  module: OptimizerModule,
  model: Model,
  sites: readonly LinearSite[],
  data: TaskData,
): Promise<Optimizer> {
  return module.attach({
    gpu,
    sites,
    parameters: model.parameters,
    head: model.head,
    steps: config.steps,
    random: createRandom(config.seed).fork("method"),
    fullGradients: fullGradientsOf(gpu, model, sites, data, {
      batchSize: config.batchSize,
      parts: config.accumulate,
      wrap: (forward) => withMemory(forward, config.memory),
    }),
  }, config.optimizer.options);
}

/** The loop's state: one instance a run. */
class Loop {
  readonly trainLoss: Point[] = [];
  readonly validationLoss: Point[] = [];
  readonly discrepancies: Discrepancy[] = [];
  readonly inspected: Record<string, Point[]> = {};
  readonly clock = new StepClock();
  readonly #adapted: ReadonlySet<LinearSite>;
  readonly #gradients: GradientStore;
  readonly #seed: Tensor;
  readonly #squaredNorm: Tensor;
  readonly #losses: Tensor;
  readonly #diverged: Tensor<"u32">;

  constructor(
    readonly gpu: Gpu,
    readonly config: RunConfig,
    readonly model: Model,
    readonly optimizer: Optimizer,
    readonly sites: readonly LinearSite[],
    readonly data: TaskData,
    readonly starts: StartWeights,
    readonly peak: PeakMeter,
    readonly report: (phase: Progress["phase"], step: number, curves: Curves) => void,
  ) {
    this.#adapted = new Set(sites);
    using _ = gpu.countAs("gradients");
    this.#gradients = createGradients(gpu, optimizer.trainable);
    this.#seed = gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient");
    this.#squaredNorm = gpu.zeros([1], "squared gradient norm");
    this.#losses = gpu.zeros([config.steps], "losses");
    this.#diverged = gpu.upload(new Uint32Array(1), "u32", [1], "first diverged step");
  }

  /** Takes all steps. Returns the step at which a loss or a gradient stopped being finite, or null. */
  async train(): Promise<number | null> {
    const { steps, telemetryEvery, validateEvery } = this.config;
    await this.#validate(0);
    this.clock.begin();
    for (let step = 1; step <= steps; step++) {
      const measured = telemetryEvery > 0 && (step <= ALWAYS_MEASURED || step % telemetryEvery === 0);
      if (measured) {
        await this.gpu.flush();
        this.clock.end();
        await this.peak.without(() => this.#measuredStep(step));
        this.clock.begin();
      } else {
        this.clock.count(await this.#plainStep(step));
      }
      const validates = step % validateEvery === 0 || step === steps;
      if (!validates && step % WINDOW !== 0 && step !== START) continue;
      await this.gpu.flush();
      this.clock.end();
      const divergedAt = await this.#readLosses(step);
      if (divergedAt !== null) return divergedAt;
      if (validates && !await this.#validate(step)) return step;
      this.clock.begin();
    }
    return null;
  }

  /** Scores the examples that the config names, and takes the task's measures of them. */
  async score(task: Task): Promise<Pick<RunOutcome, "scores" | "measures">> {
    using _ = this.gpu.scope("scoring", "activations");
    const predictor = this.#predictor(() => this.report("scoring", this.config.steps, this));
    return await scoreExamples(task, this.data, predictor, this.config.scoreOn);
  }

  /** Returns the milliseconds that the host needed: on a software adapter to submit is already to wait. */
  async #plainStep(step: number): Promise<number> {
    using _ = this.gpu.scope(`step ${step}`, "activations");
    const begun = performance.now();
    this.#differentiate(step, null);
    await this.#clipAndUpdate(step);
    const hostMs = performance.now() - begun;
    this.gpu.submit();
    return hostMs;
  }

  async #measuredStep(step: number): Promise<void> {
    using _ = this.gpu.scope(`step ${step}`, "activations");
    const full = new Map(this.sites.map((site) => {
      return [site, this.gpu.zeros([site.out, site.in], `${site.name} full gradient`)];
    }));
    this.#differentiate(step, full);
    const measurement = beginMeasurement(this.gpu, this.optimizer, full, this.#gradients, this.starts);
    await this.#clipAndUpdate(step);
    this.discrepancies.push(...await measurement.finish(step));
    for (const [name, value] of Object.entries(await this.optimizer.inspect())) {
      (this.inspected[name] ??= []).push({ step, value });
    }
  }

  /** Gradients of the step's batch; with `full` also dL/dW_eff of every adapted site. Notes the loss. */
  #differentiate(step: number, full: ReadonlyMap<LinearSite, Tensor> | null): void {
    const { gpu, config } = this;
    const batch = this.data.trainBatch(step, config.batchSize);
    const adapted: ForwardOf = (tape) => adaptedForward(tape, this.optimizer, this.#adapted);
    const loss = differentiate(gpu, this.model, batch, this.#gradients, {
      parts: config.accumulate,
      seed: this.#seed,
      forward: withMemory(full ? measuredForward(adapted, full) : adapted, config.memory),
    });
    this.#measureNorm();
    const slot = { slot: step - 1, step };
    recordStep(
      gpu,
      { loss, squaredNorm: this.#squaredNorm, losses: this.#losses, diverged: this.#diverged },
      slot,
    );
  }

  #measureNorm(): void {
    const [first, ...others] = this.#gradients.flats;
    dotInto(this.gpu, first!, first!, this.#squaredNorm);
    for (const flat of others) {
      const part = this.gpu.empty([1], "squared norm of a part");
      dotInto(this.gpu, flat, flat, part);
      accumulate(this.gpu, this.#squaredNorm, part);
    }
  }

  async #clipAndUpdate(step: number): Promise<void> {
    const { gpu, config } = this;
    if (config.clip > 0) {
      for (const flat of this.#gradients.flats) clip(gpu, flat, this.#squaredNorm, config.clip);
    }
    const learningRate = learningRateAt(config.schedule, step, config.steps);
    using _ = gpu.countAs("scratch");
    await this.optimizer.step(this.#gradients, { step, learningRate });
    // Gradients are zero between steps. Clearing them here and not first keeps a step in one command buffer.
    this.#gradients.clear();
  }

  async #readLosses(step: number): Promise<number | null> {
    const [losses, [divergedAt]] = [
      await this.gpu.download(this.#losses),
      await this.gpu.download(this.#diverged),
    ];
    for (let done = this.trainLoss.length + 1; done <= step; done++) {
      if (divergedAt !== 0 && done >= divergedAt!) break;
      this.trainLoss.push({ step: done, value: losses[done - 1]! });
    }
    this.report("training", step, this);
    return divergedAt === 0 ? null : divergedAt!;
  }

  /** Notes the validation loss. Returns whether it is finite: the last step has no other that could tell. */
  async #validate(step: number): Promise<boolean> {
    return await this.peak.without(async () => {
      using _ = this.gpu.scope("validation", "activations");
      const weights = this.#merge();
      const batches = [...this.data.validationBatches(Math.max(this.config.batchSize, VALIDATION_BATCH))];
      const count = batches.reduce((sum, batch) => sum + targetCount(batch), 0);
      const total = this.gpu.zeros([1], "validation loss");
      const store = createGradients(this.gpu, []);
      for (const batch of batches) {
        using _ = this.gpu.scope("validation batch");
        const tape = new Tape(this.gpu, store);
        accumulate(
          this.gpu,
          total,
          lossOf(this.gpu, this.model, mergedForward(tape, weights), batch, count).value,
        );
      }
      const [value] = await this.gpu.download(total);
      const isFinite = Number.isFinite(value);
      if (isFinite) this.validationLoss.push({ step, value: value! });
      return isFinite;
    });
  }

  #merge(): Map<LinearSite, Tensor> {
    return new Map(this.sites.map((site) => [site, this.optimizer.effectiveWeight(site)]));
  }

  #predictor(onPass: () => void): Predictor {
    return createPredictor(this.gpu, this.model, this.#merge(), this.data.needs.inputSize, onPass);
  }
}
