/** @file The one interface that every fine-tuning method implements. */
import type { Gradients, Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { TargetModule } from "../models/model.ts";
import type { ParameterKind } from "../models/parameter_kind.ts";
import type { Random } from "../numerics/random.ts";

/** A start that makes up for what quantizing the weights has lost. */
export interface LoftqStart {
  /** Alternating steps, 1 or more. */
  readonly steps: number;
  /** The target module's weight as the checkpoint has it, before it was quantized, `[out, in]`. */
  weightOf(targetModule: TargetModule): Float32Array<ArrayBuffer>;
}

/** Whose training batches inputs are taken of: the run's task's, or those that its weights were pre-trained on. */
export type InputsOf = "task" | "pretraining";

/** What a method gets to know when it attaches itself to a model, once per run. */
export interface Setup {
  /** Where the run computes. */
  readonly gpu: Gpu;
  /** The linear maps to adapt. */
  readonly targetModules: readonly TargetModule[];
  /** Every parameter of the model. */
  readonly parameters: readonly Parameter[];
  /** Parameters that every method trains: a new head, what the run also trains, and the method's `alsoTrains`. */
  readonly head: readonly Parameter[];
  /** Optimizer steps that the run will take. */
  readonly steps: number;
  /** The method's own random numbers. */
  readonly random: Random;
  /** Where factors start by LoftQ; absent where they start as the method says. */
  readonly loftq?: LoftqStart;
  /**
   * Mean of dL/dW over `batches` training batches at the unadapted weights, one target module at a time.
   * Each gradient is `[out, in]`; all are freed when the loop ends. All are taken before the first is
   * handed out, so the loop's body may rewrite weights.
   */
  fullGradients(
    batches: number,
  ): AsyncIterable<{ readonly targetModule: TargetModule; readonly gradient: Tensor }>;
  /**
   * XᵀX of each target module's inputs in `batches` training batches, of the task where `of` is absent, at the unadapted weights, one
   * target module at a time. The
   * rows of X are those on which the loss depends: padding is not among them, nor in a last block what nothing reads.
   *
   * Each is `[in, in]`. They are taken by groups, so that no more are alive at a time than the weights are large: the loop's
   * body leaves weights as they are, and none outlives the loop.
   *
   * @throws {UserError} where nobody knows what the weights were pre-trained on, and `of` asks for that
   */
  inputMoments(
    batches: number,
    of?: InputsOf,
  ): AsyncIterable<{ readonly targetModule: TargetModule; readonly moments: Tensor }>;
}

/** When a step happens and how far it goes. */
export interface StepInfo {
  /** 1 for the first step. */
  readonly step: number;
  /** Learning rate of this step, after the schedule. */
  readonly learningRate: number;
}

/** The factors of a target module whose weight is W + scale · B A. */
export interface Factors {
  /** The adapted map. */
  readonly targetModule: TargetModule;
  /** A, `[rank, in]`. */
  readonly a: Parameter;
  /** B, `[out, rank]`. */
  readonly b: Parameter;
  /** s, of this target module. */
  readonly scale: number;
}

/** What a method keeps between steps outside the GPU, for checkpoints of unfinished runs. */
export interface HostState {
  /** What it keeps now: null, numbers, texts, true or false, and lists and objects of them. */
  save(): unknown;
  /** Takes back what `save` gave in another process, after `attach` and before the next step. */
  restore(saved: unknown): void;
}

/** That of a method all of whose state lies on the GPU, or follows from the step. */
export const noHostState: HostState = { save: () => null, restore() {} };

/**
 * A fine-tuning method at work on one model.
 *
 * It answers two questions: how the weight of a target module depends on what is trained (`linear`,
 * `effectiveWeight`), and how gradients change what is trained (`step`, `equivalentGradient`).
 * Dispatch only: nothing here waits for the GPU except where a method says so.
 */
export interface Optimizer {
  /** What the tape must differentiate. Fixed for the run: a method that drops ranks masks them. */
  readonly trainable: readonly Parameter[];
  /** Everything else that is kept between steps (moments, masks), for checkpoints and accounting. */
  readonly state: readonly Parameter[];
  /**
   * What it keeps between steps outside the GPU; `noHostState` where that is nothing. A run that is interrupted goes on from
   * this and from all tensors of `attach` and of the model that steps wrote, which are found without being named. Where
   * it is absent nothing is known of it, and an interrupted run starts again.
   */
  readonly hostState?: HostState;
  /**
   * True where what is trained beside the model's own parameters is no low-rank change of a weight, such as rotations: runs then
   * keep the effective weights themselves. False where absent.
   */
  readonly changesWhole?: boolean;

  /** y = x W_effᵀ, without the bias. x is `[rows, in]`, y `[rows, out]`. */
  linear(tape: Tape, targetModule: TargetModule, x: Var): Var;
  /** Applies one update in place. */
  step(gradients: Gradients, at: StepInfo): void | Promise<void>;

  /** W_eff, `[out, in]`, in the caller's scope. Read only: may be the weight itself. */
  effectiveWeight(targetModule: TargetModule): Tensor;
  /**
   * For each adapted target module the gradient that this method acts on, as seen in weight space, `[out, in]`: how W_eff
   * moves, to first order and per unit of step, if the gradients were followed without moments.
   * Full fine-tuning returns dL/dW; LoRA returns s (B dA + dB A). In the caller's scope; read only.
   */
  equivalentGradients(gradients: Gradients): ReadonlyMap<TargetModule, Tensor>;
  /** The target module's low-rank factors, from which telemetry computes the lower bound of the discrepancy; null without. */
  factors(targetModule: TargetModule): Factors | null;
  /** Scalars worth a curve, e.g. {"rank/layers.0.q": 3}. Called on telemetry steps only. */
  inspect(): Promise<Readonly<Record<string, number>>>;
}

/** JSON-friendly settings of a method; a value's type is its default's type. */
export type Options = Readonly<Record<string, number | boolean | string>>;

/** A linear map with the rows that a step sends through it. */
export interface CountedModule {
  /** As in `TargetModule`. */
  readonly name: string;
  /** Columns of W. */
  readonly in: number;
  /** Rows of W. */
  readonly out: number;
  /** Rows of x in a step. */
  readonly rows: number;
  /** True where a target module lies upstream, so that the gradient of x is needed whatever else is trained. */
  readonly inputGradient: boolean;
}

/** What a method's work is counted from. */
export interface StepSizes {
  /** The linear maps to adapt. */
  readonly targetModules: readonly CountedModule[];
  /** The model's other linear maps. */
  readonly others: readonly CountedModule[];
  /** Numbers that the model consists of. */
  readonly parameters: number;
  /** Parts that the step's rows come in, each of which reads weights and adds to gradients again. */
  readonly parts: number;
}

/**
 * What a method adds to a step, counted by formula: a multiplication and an addition are two FLOPs, elements are
 * numbers read or written, each operand and each result of an operation once. The model's own part, its forward pass
 * and the gradients of its activations, is counted elsewhere.
 */
export interface StepWork {
  /** True where every parameter of the model is trained, and gradients flow down to its embeddings. */
  readonly trainsAll: boolean;
  /** FLOPs of products of full size in forward and backward: gradients of weights. */
  readonly weightFlops: number;
  /** FLOPs of thin products in forward and backward: those with the factors. */
  readonly factorFlops: number;
  /** FLOPs of turning gradients into new parameters, once a step whatever its rows. */
  readonly updateFlops: number;
  /** Elements that forward and backward move beside the model's own. */
  readonly elements: number;
  /** Elements that the update moves. */
  readonly updateElements: number;
  /** Elements that forward leaves for backward beside the model's own. */
  readonly activations: number;
  /** Numbers that are trained. */
  readonly trained: number;
  /** Numbers that the method adds to the model. */
  readonly added: number;
  /** Numbers of state that are kept between steps, as in `Optimizer.state`. */
  readonly state: number;
}

/** Numbers in each of some tensors that lie side by side: one allocation. */
export type PackSizes = readonly number[];

/** What a method's memory is counted from, before there is a GPU. */
export interface ModelShapes {
  /** The linear maps to adapt. */
  readonly targetModules: readonly { readonly name: string; readonly in: number; readonly out: number }[];
  /** Numbers in each parameter of the model. */
  readonly parameters: PackSizes;
  /** Numbers in each parameter that every method trains. */
  readonly head: PackSizes;
}

/** What a method keeps on the GPU, by formula: allocation by allocation, in numbers of four bytes. */
export interface Footprint {
  /** Parameters that it adds to the model. */
  readonly adapters: readonly PackSizes[];
  /** What it trains, in the order of `Optimizer.trainable`: each has a gradient, all side by side. */
  readonly trained: PackSizes;
  /** `Optimizer.state`. */
  readonly state: readonly PackSizes[];
  /** What else it keeps, e.g. tables for its kernels: counted as state. */
  readonly tables: readonly PackSizes[];
  /** What a step allocates at most, all at a time. */
  readonly scratch: readonly PackSizes[];
  /** Tensors that `linear` leaves on the tape at a target module beside y and the gradient of x: numbers a row of x. */
  linear(targetModule: { readonly name: string; readonly in: number; readonly out: number }): {
    readonly forward: PackSizes;
    readonly backward: PackSizes;
  };
  /** True where the weights of target modules are trained, and so can't be kept in 16-bit floats. */
  readonly trainsWeights: boolean;
  /** True where parameters below the first adapted map are trained. */
  readonly trainsAll: boolean;
  /** True where `attach` takes the full gradients of all target modules, which are alive then. */
  readonly fullGradients: boolean;
  /** Whose inputs `attach` takes by `Setup.inputMoments`, of which a group is alive at a time; absent where it takes none. */
  readonly inputMoments?: InputsOf;
}

/** A paper, as a bibliography has it. */
export interface Paper {
  /** As the paper spells it. */
  readonly title: string;
  /** In full, the family name last. */
  readonly authors: readonly string[];
  /** In which it first came out. */
  readonly year: number;
}

/** A fine-tuning method as the registry lists it. One file exports one of these. */
export interface OptimizerModule<O extends Options = Options> {
  /** Name in configs, files and charts, e.g. "lora-pro". */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** Where the method is defined: the paper's address. */
  readonly source: string;
  /** How that paper is cited; a method without goes by its title and address. */
  readonly paper?: Paper;
  /** Every option with its default; a value's type is its default's type. */
  readonly defaults: O;
  /**
   * Options that came when runs of the method had been stored: a run's config has one only where it is not at its default, so that
   * runs without it keep their names. None where absent.
   */
  readonly laterOptions?: readonly string[];
  /**
   * What is wrong with options of the right types, in one sentence ("rank is 0, 1 or more is needed"), or null.
   * Called before the run opens a GPU, with the target modules that it would adapt and the steps that it would take.
   */
  validate(
    options: O,
    targetModules: readonly { readonly name: string; readonly in: number; readonly out: number }[],
    steps: number,
  ): string | null;
  /** What reports should say besides the title, e.g. "alpha/sqrt(r)"; empty where there is nothing to add. */
  describe(options: O): string;
  /**
   * What a run of so many steps comes to where that is not what its options ask for, as the end of a sentence that begins with the
   * method's name ("is plain LoRA in runs of 40 steps: …"), or null. Plans say it; nothing is refused. Nothing is said where absent.
   */
  notice?(options: O, steps: number): string | null;
  /** What it adds to a step, by formula; options are complete. */
  stepWork(options: O, sizes: StepSizes): StepWork;
  /** What it keeps on the GPU, by formula; options are complete. Checked against live bytes by the contract test. */
  footprint(options: O, model: ModelShapes): Footprint;
  /**
   * The kinds of the model's own parameters that every run of it trains, as if the run also trained them: `attach` gets them
   * in `head`. A model without any of one kind is refused before the run. None where absent.
   */
  readonly alsoTrains?: readonly Exclude<ParameterKind, "head">[];
  /**
   * True where A and B may start by LoftQ, so that `attach` takes `Setup.loftq`: methods made by `attachLowRank` whose start and
   * form are LoRA's own. Others are refused with it.
   */
  readonly takesLoftq?: true;
  /** True where `attach` itself moves effective weights: a start that is a step of its own, as LoRA-One's is. */
  readonly startsMoved?: boolean;
  /**
   * Creates the trainable parameters and all state. May rewrite `targetModule.weight` in place, but leaves
   * every `effectiveWeight` as it found it (to the rounding of the weight's floats: see module_weight.ts), unless
   * `startsMoved` says that it does not.
   */
  attach(setup: Setup, options: O): Promise<Optimizer>;
}

/** Declares a method; widens the literal types of its defaults to number, boolean and string. */
export function defineOptimizer<O extends Options>(module: OptimizerModule<O>): OptimizerModule<O> {
  return module;
}
