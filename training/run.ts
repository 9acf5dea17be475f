/** @file What goes into a run and what comes out: plain JSON on both sides. schemas.ts checks it at run time. */
import { canonicalJson, joinFields } from "../files/canonical_json.ts";
import type { Hardware } from "../gpu/gpu.ts";
import type { LowPrecision } from "../gpu/tensor.ts";
import type { RowLengths } from "../models/architecture.ts";
import type { Options } from "../optimizers/optimizer.ts";
import { system } from "../system/mod.ts";
import type { DataSource, Split, TaskOptions } from "../tasks/task.ts";

/** How the learning rate changes over a run. */
export interface Schedule {
  /** Shape of the fall from the peak to the floor. */
  readonly kind: "constant" | "linear" | "cosine";
  /** Largest learning rate, reached at the end of the warm-up. */
  readonly learningRate: number;
  /** Steps of linear warm-up from 0. */
  readonly warmup: number;
  /** Last learning rate as a share of the peak. */
  readonly floor: number;
}

/** How a run spends less memory. */
export interface MemoryOptions {
  /**
   * What frozen weights of adapted target modules are kept as: "f32"; "f16" in half the bytes; "int8" in 8 bits and a float
   * for each 64 numbers; "nf4" in 4 bits with double quantization (QLoRA, arXiv 2305.14314).
   */
  readonly frozenWeights?: "f32" | LowPrecision;
  /** What a vocabulary's embedding and output map are kept as, where they are frozen: as `frozenWeights`; "f32" where absent. */
  readonly frozenEmbeddings?: "f32" | LowPrecision;
  /**
   * Alternating steps of LoftQ's start, which lets B A make up for what quantizing "int8" or "nf4" loses; 0 where absent:
   * the method's own start. See optimizers/loftq.ts.
   */
  readonly loftq?: number;
  /**
   * "blocks" keeps the input of each block and computes the rest of it again for the backward pass; "blocks-f16" keeps those
   * that other blocks made as 16-bit floats.
   */
  readonly checkpointing?: "none" | "blocks" | "blocks-f16";
  /**
   * What blocks keep for the backward pass is kept as: "f32", or "f16" from where a block's forward pass ends to where its backward
   * pass begins. The forward pass has the same bits, gradients do not. Where blocks are computed again nothing is kept.
   */
  readonly activations?: "f32" | "f16";
}

/** The file of the user's that a method, a task or a model is from. */
export interface ModuleSource {
  /** Where it is. Another path to the same bytes is the same run. */
  readonly path: string;
  /** SHA-256 over its bytes and those of the local files that it imports, in hex. */
  readonly fingerprint: string;
}

/** A file with a text. */
export interface TextFile {
  /** Where it is. Another path to the same bytes is the same text. */
  readonly path: string;
  /** SHA-256 over its bytes, in hex. A run notes it, and where it is given the file must have it. */
  readonly fingerprint?: string;
}

/** Everything that decides a run's outcome. Two runs with equal configs are the same run. */
export interface RunConfig {
  /** Version of this format. */
  readonly schema: 1;
  /** The task's name and how many examples it takes; a run notes the file that the task is from, where it does not ship. */
  readonly task:
    & { readonly id: string; readonly module?: ModuleSource; readonly hub?: string }
    & Omit<TaskOptions, "seed">;
  /**
   * A name from the model registry; it fixes the architecture and the pretrained weights. With a width or a number of
   * layers other than the model's own, the run starts from seeded random weights: it measures costs, and its scores
   * mean nothing. With a path it is the model in that folder, of Hugging Face's layout or OpenCLIP's, whose config decides
   * family and sizes; the name is then one of the registry, whose sizes these must be, or any other. The fingerprint is
   * that of the folder's files: a run notes it, and where it is given the files must have it.
   *
   * With an adapter, a folder in PEFT's format, the weights begin with its change, and the run goes on from there.
   *
   * `hub`, here and of the task's data, is what was fetched from Hugging Face's Hub: "org/name@commit". A run notes it;
   * what names the run is the files themselves.
   *
   * The head is what classifies texts, or real images on a folder's image tower: "adapter", the classifier that the adapter
   * brings, which every method trains on; "zero-shot", made of the classes' names by the folder's text tower and trained by no
   * method; or "new", seeded random numbers, in place of the projection of a tower, which every method trains. A run notes it; where
   * it is left out, it is the first of them for which adapter, folder and data have what it takes.
   */
  readonly model: {
    readonly id: string;
    readonly module?: ModuleSource;
    readonly path?: string;
    readonly fingerprint?: string;
    readonly hub?: string;
    readonly adapter?: { readonly path: string; readonly fingerprint?: string; readonly hub?: string };
    readonly width?: number;
    readonly layers?: number;
    readonly head?: "adapter" | "zero-shot" | "new";
  };
  /**
   * Patterns of target module names to adapt, e.g. ["*.self_attn.*"], ends of names, or "all-linear", "query-value",
   * "attention", "mlp". Full fine-tuning trains all anyway.
   */
  readonly targetModules: readonly string[];
  /**
   * What is trained itself beside them, as PEFT's `modules_to_save`: "embeddings", "head", "norms", "gains", "biases", names of
   * modules or the ends of such names, patterns. Absent where nothing is. Full fine-tuning trains all anyway.
   */
  readonly alsoTrain?: readonly string[];
  /** The method and its settings; a run notes the file that the method is from, where it does not ship. */
  readonly optimizer: { readonly id: string; readonly options: Options; readonly module?: ModuleSource };
  /** Optimizer steps. */
  readonly steps: number;
  /** Examples of a step. */
  readonly batchSize: number;
  /** Batches are split into this many parts, whose gradients add up. */
  readonly accumulate: number;
  /** The learning rate of each step. */
  readonly schedule: Schedule;
  /** Largest global gradient norm; 0 leaves gradients alone. */
  readonly clip: number;
  /** Steps between validation losses; the first is taken before step 1, the last after the last step. */
  readonly validateEvery: number;
  /** Steps between measurements of the full gradient, beside the first two steps; 0 measures nothing. */
  readonly telemetryEvery: number;
  /** The examples that `score` is about: sweeps that choose settings must not look at test data. */
  readonly scoreOn: Split;
  /** Seeds data order and method. */
  readonly seed: number;
  /** Complete configs leave out what is "f32" or "none", and the whole where nothing is left. */
  readonly memory?: MemoryOptions;
  /** A text that forgetting is told by, for a decoder in a folder: nobody knows what that was pre-trained on. */
  readonly retain?: TextFile;
  /** Steps of Lanczos' method by which the sharpness of the run's start is taken; absent where it is not. */
  readonly sharpness?: number;
}

/** One measurement at one target module: how a method's step compares with the full gradient G. */
export interface Discrepancy {
  /** The step that was measured, from 1. */
  readonly step: number;
  /** The linear map. */
  readonly targetModule: string;
  /** ‖g̃ − G‖ / ‖G‖, g̃ the equivalent gradient. 0 for full fine-tuning. */
  readonly gradientError: number;
  /** The least that any g̃ = s (B dA + dB A) can reach: ‖(I−P_B) G (I−P_A)‖ / ‖G‖. Null where a method has no factors. */
  readonly lowerBound: number | null;
  /** cos(g̃, G). */
  readonly gradientCosine: number;
  /** cos(W_eff before − W_eff after, G): what the step did, moments and all. */
  readonly updateCosine: number;
  /**
   * ‖s dB dA‖ / ‖s (B dA + dB A)‖ of the step that was taken: the second-order part of the change in W_eff. Null where
   * W_eff does not change as s B A does, or not at all. Absent where it was not measured yet.
   */
  readonly secondOrderShare?: number | null;
  /**
   * ‖A after − A before‖ / ‖A before‖ of the step, A as `Optimizer.factors` gives it. Null where a method has no factors,
   * and where A was 0. Absent where it was not measured yet.
   */
  readonly moveOfA?: number | null;
  /**
   * Effective rank, exp of the entropy of the singular values, of W_eff after the step − W_eff at the start of the run.
   * Null where nothing has moved by more than rounding, and for maps too wide for it. Absent where it was not measured
   * yet.
   */
  readonly effectiveRank?: number | null;
}

/** A value at a step. */
export interface Point {
  /** 0 is before the first step. */
  readonly step: number;
  /** What was measured there. */
  readonly value: number;
}

/** Where a run was made. */
export interface Environment {
  /** The commit of the checkout; changes that are not committed are not told. "unknown" outside a git checkout. */
  readonly commit: string;
  /** Deno's version; in a browser its name and version. */
  readonly deno: string;
  /** The adapter's description. */
  readonly adapter: string;
  /** Who made the adapter and what it is, as far as it tells; absent in results from before this was noted. */
  readonly hardware?: Hardware;
  /** The graphics interface behind WebGPU. */
  readonly backend: string;
  /** The adapter's features. */
  readonly features: readonly string[];
  /** The adapter's limits, by name. */
  readonly limits: Readonly<Record<string, number>>;
  /** What `./run check` had found of the adapter by then; absent where nobody had checked it. */
  readonly checked?: {
    /** True where every check held. */
    readonly ok: boolean;
    /** When, ISO 8601. */
    readonly at: string;
    /** The commit that was checked. */
    readonly commit: string;
  };
  /** When the run began, ISO 8601. */
  readonly startedAt: string;
}

/**
 * What a run cost. Times leave out validation and telemetry, and those of a step the compilation of kernels, except where
 * `onlyFirstWindow` tells of it. What only a step without telemetry tells is null where there was none, as in short runs.
 */
export interface Cost {
  /** Numbers that the method trains. */
  readonly trainableParameters: number;
  /** Bytes of the method's moments and other state, without the trained parameters themselves. */
  readonly stateBytes: number;
  /** Most bytes of live tensors while attaching and training; null where no step was without telemetry. */
  readonly peakBytes: number | null;
  /** The same for each use of memory by itself, as far as it was measured. */
  readonly peakBytesByCategory: Readonly<Record<string, number>>;
  /** Milliseconds that the method took to attach itself, kernels compiled that nothing had compiled yet. */
  readonly attachMs: number;
  /** Median over windows of steps between two read-backs, in milliseconds; null where no step was without telemetry. */
  readonly medianStepMs: number | null;
  /** The host's part of a step, in the same windows: making the batch and recording it, not waiting for the GPU. */
  readonly medianHostMs: number | null;
  /**
   * True where the times of a step are of the first window, there being no other: kernels that nothing had compiled yet were
   * compiled in it. Absent elsewhere, and in results from before it was noted.
   */
  readonly onlyFirstWindow?: true;
  /** The whole run: loading, training, validation, scoring. */
  readonly totalMs: number;
  /** The part of it in which the trained model was scored. Absent where it was not told apart yet. */
  readonly scoringMs?: number;
}

/** A measure beside the score, on the examples of `scores`. */
export interface MeasuredOutcome {
  /** Of all examples together; null where they have no such value. */
  readonly value: number | null;
  /** One per example, whose mean is `value`; predictions where there are labels. */
  readonly values: readonly number[];
  /** One per example, for a measure of pairs. */
  readonly labels?: readonly number[];
}

/** What a run did to what its base checkpoint could do: losses on held-out examples that it was pre-trained on, in nats a target. */
export interface Forgetting {
  /** What the examples are of: the id of a pretraining corpus, or the name of the file that `retain` names. */
  readonly corpus: string;
  /** Loss of the base checkpoint. */
  readonly before: number;
  /** Loss of the trained model; null where it is not finite. */
  readonly after: number | null;
}

/** What a whole run did to one weight, by W_eff at its end − W_eff at its start. */
export interface WeightChange {
  /** The linear map. */
  readonly targetModule: string;
  /** Frobenius norm of the change. */
  readonly norm: number;
  /** The same over that of the weight at the start. */
  readonly relativeNorm: number;
  /**
   * Of the first 10 left singular vectors of the tuned weight, how many the base weight has not (arXiv 2410.21228). Null where
   * both sides of the map are longer than 256.
   */
  readonly intruders: number | null;
  /** The largest 16 singular values of the change, descending; empty where it is too large for that. */
  readonly singularValues: readonly number[];
}

/** How sharply the loss of the first step's batch bends where a run begins. */
export interface Sharpness {
  /** The largest eigenvalue of its Hessian in all numbers that the method trains, from below. */
  readonly value: number;
  /** How far an eigenvalue is from it at most, as long as gradients are exact. */
  readonly error: number;
}

/** What a finished run found. */
export interface RunOutcome {
  /** Mean of `scores`. */
  readonly score: number;
  /** One per example of `config.scoreOn`, so that reports can resample and pair them. */
  readonly scores: readonly number[];
  /**
   * Loss of the trained model on the test examples, in nats a target. Null for runs that are scored on validation examples,
   * where a task has no batches of test examples, where it is not finite, and where it was not taken yet.
   */
  readonly testLoss: number | null;
  /** What the task measures beside its score, by name. Absent where it measures nothing, or did not yet. */
  readonly measures?: Readonly<Record<string, MeasuredOutcome>>;
  /** Absent where nobody knows what the weights were pre-trained on, and where it was not taken yet. */
  readonly forgetting?: Forgetting;
  /** Of the run's start; absent where the config asks for none. */
  readonly sharpness?: Sharpness;
  /** Loss of every step's batch. */
  readonly trainLoss: readonly Point[];
  /** Loss on the validation examples. */
  readonly validationLoss: readonly Point[];
  /** Measurements of the full gradient. */
  readonly discrepancies: readonly Discrepancy[];
  /** The change of each target module that moved. Absent where telemetry measured nothing, and where it was not taken yet. */
  readonly changes?: readonly WeightChange[];
  /** Curves from `Optimizer.inspect`, by name. */
  readonly inspected: Readonly<Record<string, readonly Point[]>>;
  /** Names of the kernels that ran: variants of one product add up in different orders, so bits go with them. */
  readonly kernels: readonly string[];
  /** The real data that it was found on; absent where the task made its own. */
  readonly data?: DataSource;
  /** Tokens of the rows that it trained on. Absent for images, and where they were not noted yet. */
  readonly rows?: RowLengths;
  /** Time and memory. */
  readonly cost: Cost;
}

/** What every result says first. */
export interface RunHeader {
  /** Version of this format. */
  readonly schema: 1;
  /** First 16 hex digits of the SHA-256 of the config's canonical JSON. */
  readonly id: string;
  /** What went in. */
  readonly config: RunConfig;
  /** Where the run was made. */
  readonly environment: Environment;
}

/**
 * How a run ended: "done"; "diverged", where the loss or a gradient stopped being finite, a finding about the method
 * that reports keep; or "failed", a fault of ours that reports leave out and the next sweep tries again.
 */
export type RunResult =
  & RunHeader
  & (
    | { readonly status: "done"; readonly outcome: RunOutcome }
    | { readonly status: "diverged"; readonly step: number; readonly trainLoss: readonly Point[] }
    | { readonly status: "failed"; readonly error: string }
  );

/** What is scored before fine-tuning: a base checkpoint on the examples that runs are scored on. */
export interface BaseConfig {
  /** Version of this format. */
  readonly schema: 1;
  /** As in the config of its runs. */
  readonly task: RunConfig["task"];
  /** As in the config of its runs, in its own size. */
  readonly model: Omit<RunConfig["model"], "width" | "layers">;
  /** What the weights of `targetModules` are kept as, where its runs keep them in low precision. */
  readonly frozenWeights?: LowPrecision;
  /** What its vocabulary's tables are kept as, likewise. */
  readonly frozenEmbeddings?: LowPrecision;
  /** As in the config of its runs; absent where all weights have 32 bits. */
  readonly targetModules?: RunConfig["targetModules"];
  /** The examples that `score` is about. */
  readonly scoreOn: Split;
}

/** What a base checkpoint scored; equal for all methods, rates and seeds. "failed" is a fault of ours. */
export type BaseResult =
  & {
    /** Version of this format. */
    readonly schema: 1;
    /** First 16 hex digits of the SHA-256 of the config's canonical JSON. */
    readonly id: string;
    /** What went in. */
    readonly config: BaseConfig;
    /** Where it was scored. */
    readonly environment: Environment;
  }
  & (
    | ({
      readonly status: "done";
      /**
       * The score of always answering the commonest class of these examples. Absent where answers are no classes, and where
       * it was not taken yet.
       */
      readonly commonest?: number;
    } & Pick<RunOutcome, "score" | "scores" | "measures">)
    | { readonly status: "failed"; readonly error: string }
  );

/** Name of a run: see `recordId`. */
export async function runId(config: RunConfig): Promise<string> {
  return await recordId(config);
}

/** The names of many runs, in order: what they share is written down once. */
export async function runIds(configs: readonly RunConfig[]): Promise<string[]> {
  const texts = new Map<unknown, string>();
  const textOf = (value: unknown) => {
    const known = texts.get(value);
    if (known !== undefined) return known;
    const text = canonicalJson(value);
    if (typeof value === "object") texts.set(value, text);
    return text;
  };
  const placed = new Map<unknown, unknown>();
  const withoutPaths = (choice: Choice): unknown => {
    if (!placed.has(choice)) placed.set(choice, unplaced(choice));
    return placed.get(choice);
  };
  const nameOf = await namer();
  return configs.map((config) => {
    const fields: Readonly<Record<string, unknown>> = {
      ...config,
      task: withoutPaths(config.task),
      model: withoutPaths(config.model),
      optimizer: withoutPaths(config.optimizer),
      ...(config.retain && { retain: withoutPaths(config.retain) }),
    };
    return nameOf(joinFields(fields, textOf));
  });
}

/**
 * Name of what has such a config: the first 16 hex digits of the SHA-256 of its canonical JSON. Where the config has the
 * fingerprint of its data, of its model or of a file that something is from, the path to it has no part in it: the same
 * files in another place are the same.
 */
export async function recordId(
  config: Pick<RunConfig, "task" | "model"> & Partial<Pick<RunConfig, "optimizer" | "retain">>,
): Promise<string> {
  const { task, model, optimizer, retain } = config, nameOf = await namer();
  return nameOf(canonicalJson({
    ...config,
    task: unplaced(task),
    model: unplaced(model),
    ...(optimizer && { optimizer: unplaced(optimizer) }),
    ...(retain && { retain: unplaced(retain) }),
  }));
}

/** What a config says of a task, a model, a method or a text. */
interface Choice {
  readonly adapter?: { readonly path: string; readonly fingerprint?: string };
  readonly fingerprint?: string;
  readonly data?: string;
  readonly path?: string;
  readonly hub?: string;
  readonly module?: ModuleSource;
}

/** A choice without the paths to files that have a fingerprint. */
function unplaced(choice: Choice): object {
  if (choice.fingerprint === undefined && !choice.module && !choice.adapter) return choice;
  const { data, path, hub, module, adapter, ...rest } = choice;
  return {
    ...rest,
    ...(adapter && { adapter: adapter.fingerprint ?? adapter }),
    ...(choice.fingerprint === undefined && { data, path, hub }),
    ...(module && { module: module.fingerprint }),
  };
}

/** What names texts: waits for no other thread, as one of the web's own digests does, so that many take no longer than one. */
async function namer(): Promise<(text: string) => string> {
  const sha256 = await system.sha256();
  return (text) => {
    const hash = sha256();
    hash.update(text);
    return hash.digest("hex").slice(0, 16);
  };
}
