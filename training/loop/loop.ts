/** @file The loop that every method goes through. It never asks which method it runs. */
import { createGradients } from "../../autodiff/mod.ts";
import type { GradientStore } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { accumulate, clip, dotInto, recordStep } from "../../kernels/mod.ts";
import type { Batch, Model, TargetModule } from "../../models/model.ts";
import type { Optimizer } from "../../optimizers/optimizer.ts";
import type { Predictor, Task, TaskData } from "../../tasks/task.ts";
import { Answers } from "../checkpoint/answers.ts";
import type { Keeper } from "../checkpoint/keeper.ts";
import type { Discrepancy, Point, RunConfig, RunOutcome } from "../run.ts";
import { createPredictor } from "../scoring/predict.ts";
import { scoreExamples } from "../scoring/score_examples.ts";
import { type PeakMeter, StepClock, type StepWindow } from "../telemetry/meters.ts";
import { beginMeasurement, type StartWeights } from "../telemetry/telemetry.ts";
import { differentiate } from "./differentiate.ts";
import { heldOutLoss, heldOutSize } from "./held_out.ts";
import { isLowPrecision } from "../../autodiff/tape.ts";
import { adaptedForward, type ForwardOf, measuredForward, mergedForward, withMemory } from "./forward.ts";
import type { Progress } from "./progress.ts";
import { learningRateAt } from "./schedule.ts";

/** Steps between two waits for the GPU. */
const WINDOW = 10;
/** The step after which one more wait tells the steps that compile kernels from the others. */
const START = 2;
/** First steps that telemetry never skips: from B = 0, LoRA-Pro's second step is unlike all others. */
const ALWAYS_MEASURED = 2;
/** Milliseconds of a step from which the run waits for each by itself, so that it hears soon when it is to stop. */
const SLOW_STEP = 500;

/** Curves that a loop fills. */
export type Curves = Pick<Progress, "trainLoss" | "validationLoss" | "discrepancies">;

/** What a loop works with. */
export interface LoopParts {
  readonly gpu: Gpu;
  /** Complete. */
  readonly config: RunConfig;
  readonly model: Model;
  /** Attached to the model at `targetModules`. */
  readonly optimizer: Optimizer;
  readonly targetModules: readonly TargetModule[];
  readonly data: TaskData;
  /** The weights that change is told from. */
  readonly starts: StartWeights;
  /** Measures the memory of training alone. */
  readonly peak: PeakMeter;
  /** Tells how far the run is. */
  readonly report: (phase: Progress["phase"], step: number, curves: Curves) => void;
  /** Stops and saves the run in its pauses. */
  readonly keeper: Keeper;
}

/** What a loop has on the host between two steps; its losses are on the GPU. */
export interface LoopState {
  readonly step: number;
  readonly validationLoss: readonly Point[];
  readonly discrepancies: readonly Discrepancy[];
  readonly inspected: Readonly<Record<string, readonly Point[]>>;
  readonly windows: readonly StepWindow[];
  /** Answers of the model while it is scored. */
  readonly answers: readonly unknown[];
}

/** The loop's state: one instance a run. */
export class Loop {
  readonly trainLoss: Point[] = [];
  readonly validationLoss: Point[] = [];
  readonly discrepancies: Discrepancy[] = [];
  readonly inspected: Record<string, Point[]> = {};
  readonly clock = new StepClock();
  #step = 0;
  #answers = new Answers();
  #isSlow = false;
  readonly #adapted: ReadonlySet<TargetModule>;
  readonly #gradients: GradientStore;
  readonly #seed: Tensor;
  readonly #squaredNorm: Tensor;
  readonly #losses: Tensor;
  readonly #diverged: Tensor<"u32">;

  readonly #parts: LoopParts;

  /** Allocates what lives as long as the loop, in the caller's scope. */
  constructor(parts: LoopParts) {
    this.#parts = parts;
    const { gpu, config, optimizer, targetModules } = parts;
    this.#adapted = new Set(targetModules);
    using _ = gpu.countAs("gradients");
    this.#gradients = createGradients(gpu, optimizer.trainable);
    this.#seed = gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient");
    this.#squaredNorm = gpu.zeros([1], "squared gradient norm");
    this.#losses = gpu.zeros([config.steps], "losses");
    this.#diverged = gpu.upload(new Uint32Array(1), "u32", [1], "first diverged step");
  }

  /** Steps taken. */
  get step(): number {
    return this.#step;
  }

  /** Tensors that are made anew in every step: no part of the run's state. */
  get scratch(): readonly Tensor[] {
    return [...this.#gradients.flats, this.#seed, this.#squaredNorm];
  }

  /** What is to be saved beside the GPU's buffers. */
  save(): LoopState {
    const { validationLoss, discrepancies, inspected } = this;
    const windows = this.clock.save(), answers = this.#answers.all;
    return { step: this.#step, validationLoss, discrepancies, inspected, windows, answers };
  }

  /** Goes on from a saved state, whose buffers are back on the GPU. Once, before the first step. */
  async restore(saved: LoopState): Promise<void> {
    this.#step = saved.step;
    this.validationLoss.push(...saved.validationLoss);
    for (const one of saved.discrepancies) this.discrepancies.push(one);
    for (const [name, points] of Object.entries(saved.inspected)) this.inspected[name] = [...points];
    this.clock.restore(saved.windows);
    this.#answers = new Answers(saved.answers);
    await this.#readLosses(saved.step);
  }

  /**
   * Takes all steps that are left. Returns the step at which a loss or a gradient stopped being finite, or null.
   *
   * @throws {Interrupted} where the run is to stop
   */
  async train(): Promise<number | null> {
    const { steps, telemetryEvery } = this.#parts.config;
    const isFinite = await this.#validateIfDue();
    // Before the first step a loss that is not finite is that of the first step too.
    if (!isFinite && this.#step > 0) return this.#step;
    this.clock.begin();
    while (this.#step < steps) {
      if (await this.#parts.keeper.isDue()) await this.#pause();
      const step = this.#step + 1;
      const measured = telemetryEvery > 0 && (step <= ALWAYS_MEASURED || step % telemetryEvery === 0);
      if (measured) {
        await this.#parts.gpu.flush();
        this.clock.end();
        await this.#parts.peak.without(() => this.#measuredStep(step));
        this.clock.begin();
      } else {
        this.clock.count(await this.#plainStep(step));
        if (this.#isSlow) await this.#parts.gpu.flush();
      }
      this.#step = step;
      if (!this.#validatesAt(step) && step % WINDOW !== 0 && step !== START) continue;
      await this.#parts.gpu.flush();
      this.clock.end();
      this.#isSlow = (this.clock.lastStepMs() ?? 0) > SLOW_STEP;
      const divergedAt = await this.#readLosses(step);
      if (divergedAt !== null) return divergedAt;
      if (!await this.#validateIfDue()) return step;
      this.clock.begin();
    }
    return null;
  }

  /** Stops or saves the run where it is to be, between two steps. */
  async #pause(): Promise<void> {
    await this.#parts.gpu.flush();
    this.clock.end();
    await this.#parts.keeper.pause();
    this.clock.begin();
  }

  #validatesAt(step: number): boolean {
    const { steps, validateEvery } = this.#parts.config;
    return step % validateEvery === 0 || step === steps;
  }

  /** Validates where the last step asks for it and it was not done. Returns false where the loss is not finite. */
  async #validateIfDue(): Promise<boolean> {
    const isDone = this.validationLoss.at(-1)?.step === this.#step;
    return isDone || !this.#validatesAt(this.#step) || await this.#validate(this.#step);
  }

  /** Scores the examples that the config names, and takes the task's measures of them. */
  async score(task: Task): Promise<Pick<RunOutcome, "scores" | "measures">> {
    using _ = this.#parts.gpu.scope("scoring", "activations");
    const predictor = this.#predictor(async () => {
      this.#parts.report("scoring", this.#parts.config.steps, this);
      await this.#parts.keeper.pause();
    });
    return await scoreExamples(task, this.#parts.data, predictor, this.#parts.config.scoreOn);
  }

  /** The loss on the test examples; null for runs that are scored on others, and where it can't be taken. */
  async testLoss(): Promise<number | null> {
    const { config, data } = this.#parts;
    if (config.scoreOn !== "test" || !data.testBatches) return null;
    return await this.lossOn((size) => data.testBatches!(size));
  }

  /** The loss on held-out examples, in batches of a size that this names; null where it is not finite. */
  async lossOn(batchesOf: (size: number) => Iterable<Batch>): Promise<number | null> {
    const value = await this.#heldOutLoss(batchesOf(this.#heldOutSize()));
    return Number.isFinite(value) ? value : null;
  }

  /** Returns the milliseconds that the host needed: on a software adapter to submit is already to wait. */
  async #plainStep(step: number): Promise<number> {
    using _ = this.#parts.gpu.scope(`step ${step}`, "activations");
    const begun = performance.now();
    this.#differentiate(step, null);
    await this.#clipAndUpdate(step);
    const hostMs = performance.now() - begun;
    this.#parts.gpu.submit();
    return hostMs;
  }

  async #measuredStep(step: number): Promise<void> {
    using _ = this.#parts.gpu.scope(`step ${step}`, "activations");
    const full = new Map(this.#parts.targetModules.map((targetModule) => {
      return [
        targetModule,
        this.#parts.gpu.zeros([targetModule.out, targetModule.in], `${targetModule.name} full gradient`),
      ];
    }));
    this.#differentiate(step, full);
    const measurement = beginMeasurement(
      this.#parts.gpu,
      this.#parts.optimizer,
      full,
      this.#gradients,
      this.#parts.starts,
    );
    await this.#clipAndUpdate(step);
    this.discrepancies.push(...await measurement.finish(step));
    for (const [name, value] of Object.entries(await this.#parts.optimizer.inspect())) {
      (this.inspected[name] ??= []).push({ step, value });
    }
  }

  /** Gradients of the step's batch; with `full` also dL/dW_eff of every adapted target module. Notes the loss. */
  #differentiate(step: number, full: ReadonlyMap<TargetModule, Tensor> | null): void {
    const { gpu, config } = this.#parts;
    const batch = this.#parts.data.trainBatch(step, config.batchSize);
    const adapted: ForwardOf = (tape) => adaptedForward(tape, this.#parts.optimizer, this.#adapted);
    const loss = differentiate(gpu, this.#parts.model, batch, this.#gradients, {
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
    dotInto(this.#parts.gpu, first!, first!, this.#squaredNorm);
    for (const flat of others) {
      const part = this.#parts.gpu.empty([1], "squared norm of a part");
      dotInto(this.#parts.gpu, flat, flat, part);
      accumulate(this.#parts.gpu, this.#squaredNorm, part);
    }
  }

  async #clipAndUpdate(step: number): Promise<void> {
    const { gpu, config } = this.#parts;
    if (config.clip > 0) {
      for (const flat of this.#gradients.flats) clip(gpu, flat, this.#squaredNorm, config.clip);
    }
    const learningRate = learningRateAt(config.schedule, step, config.steps);
    using _ = gpu.countAs("scratch");
    await this.#parts.optimizer.step(this.#gradients, { step, learningRate });
    // Gradients are zero between steps. Clearing them here and not first keeps a step in one command buffer.
    this.#gradients.clear();
  }

  async #readLosses(step: number): Promise<number | null> {
    const [losses, [divergedAt]] = [
      await this.#parts.gpu.download(this.#losses),
      await this.#parts.gpu.download(this.#diverged),
    ];
    for (let done = this.trainLoss.length + 1; done <= step; done++) {
      if (divergedAt !== 0 && done >= divergedAt!) break;
      this.trainLoss.push({ step: done, value: losses[done - 1]! });
    }
    this.#parts.report("training", step, this);
    return divergedAt === 0 ? null : divergedAt!;
  }

  /** Notes the validation loss. Returns whether it is finite: the last step has no other that could tell. */
  async #validate(step: number): Promise<boolean> {
    const { data, peak } = this.#parts;
    const value = await peak.without(() => this.#heldOutLoss(data.validationBatches(this.#heldOutSize())));
    const isFinite = Number.isFinite(value);
    if (isFinite) this.validationLoss.push({ step, value });
    return isFinite;
  }

  #heldOutSize(): number {
    return heldOutSize(this.#parts.config);
  }

  /** Mean loss of all targets of examples that are not trained on. */
  async #heldOutLoss(batches: Iterable<Batch>): Promise<number> {
    const { gpu, model, keeper } = this.#parts;
    using _ = gpu.scope("validation", "activations");
    return await heldOutLoss(gpu, model, this.#evaluation(), batches, async () => {
      if (this.#isSlow) await gpu.flush();
      await keeper.pause();
    });
  }

  /**
   * How maps are computed without gradients, in the caller's scope: on weights that are merged once, which is as fast for
   * every method. Weights in low precision are there to save memory, which merged ones would take, so those maps stay
   * adapted.
   */
  #evaluation(): ForwardOf {
    const { targetModules, optimizer } = this.#parts;
    if (targetModules.some(({ weight }) => isLowPrecision(weight))) {
      return (tape) => adaptedForward(tape, optimizer, this.#adapted);
    }
    const weights = new Map(targetModules.map((one) => [one, optimizer.effectiveWeight(one)]));
    return (tape) => mergedForward(tape, weights);
  }

  #predictor(onPass: () => Promise<void>): Predictor {
    return createPredictor(
      this.#parts.gpu,
      this.#parts.model,
      this.#evaluation(),
      this.#parts.data.needs.inputSize,
      { onPass, answers: this.#answers },
    );
  }
}
