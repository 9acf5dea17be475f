/** @file The contract of a task: host data in, scores out. Tasks never touch the GPU. */
import type { Batch, ImageInput, ModelFamily } from "../models/model.ts";
import type { ReadRecord } from "./data/read_record.ts";
import type { DataLayout } from "./own/layout.ts";

/** The kinds of task that the paper compares on. */
export type TaskFamily = "understanding" | "dialogue" | "math" | "code" | "vision";

/** What a model must be built for, to take a task's batches. */
export interface ModelNeeds {
  /** The kind of batch that it makes. */
  readonly family: ModelFamily;
  /** Vocabulary size of a text model, or classes of a vision one. */
  readonly outputs: number;
  /** Longest sequence in tokens, or the image's side in pixels. */
  readonly inputSize: number;
}

/**
 * The model that is to take a task's examples: real texts are cut into its tokens, as far as its length goes, and real
 * images come in its size.
 */
export interface TaskModel extends Pick<ModelNeeds, "outputs" | "inputSize"> {
  /** The user's folder with its checkpoint and its tokenizer; absent where the model is the project's own. */
  readonly folder?: string;
  /** How it takes real images; absent where these are to be as the task's own. */
  readonly image?: ImageInput;
  /** The kind of batch that it takes; absent where a task is for one kind alone. */
  readonly family?: ModelFamily;
  /** Tokens that it knows, where its outputs are classes. */
  readonly vocabulary?: number;
  /** Kinds of token that an encoder of texts tells apart: 0 where it does not ask. */
  readonly tokenTypes?: number;
  /** Most tokens of an answer, of an encoder-decoder. */
  readonly targetSize?: number;
}

/** How a task scores an example. */
export interface Metric {
  /** e.g. "accuracy", "exact match". Always 0 to 1, higher is better. */
  readonly name: string;
  /** Expected score of guessing. */
  readonly chance: number;
}

/** What a task measures beside its score. */
export interface Measure {
  /** e.g. "exact reply", "Matthews correlation". */
  readonly name: string;
  /** Which way it gets better. */
  readonly better: "higher" | "lower";
  /** What no value can be below and above, e.g. 0 and 1 of a share; where absent it can be anything. */
  readonly within?: readonly [least: number, most: number];
  /** The only split that it is taken of, where it costs so much that choosing settings goes without; both where absent. */
  readonly split?: Split;
  /**
   * Its value for a set of examples, from one prediction and one label of each in the same order. Where absent it is
   * the mean of one value of each. Pure: reports call it on resampled examples. NaN where the set has no such value.
   */
  readonly ofPairs?: (predictions: readonly number[], labels: readonly number[]) => number;
}

/** What was noted about each example of a split, in the order of its scores. */
export interface Measured {
  /** Finite; predictions where the measure is of pairs. */
  readonly values: ArrayLike<number>;
  /** Of a measure of pairs, and of no other. */
  readonly labels?: ArrayLike<number>;
}

/** How text is drawn instead of taking the most likely token. */
export interface Sampling {
  /** What scores are divided by: above 0; near it the most likely token is drawn, at 1 the model's own distribution. */
  readonly temperature: number;
  /** Share of the probability that the tokens drawn from have: above 0; with 1 all of them. */
  readonly topP: number;
  /** An integer from 0 to 4294967295. Each token is drawn by seed, prompt, sample and position alone. */
  readonly seed: number;
  /** Texts for each prompt; 1 where absent. */
  readonly samples?: number;
}

/** How far a text goes on, and how. */
export interface Generation {
  /** Most tokens. */
  readonly maxTokens: number;
  /** The token before which it ends, or several. */
  readonly stop: number | readonly number[];
  /** Greedy where absent: the most likely token each time. */
  readonly sampling?: Sampling;
}

/** The kind of each token of each prompt, for a model that classifies pairs of texts; all 0 where absent. */
export type TokenTypes = readonly (Int32Array | undefined)[];

/** What a trained model can be asked. Evaluation always runs on merged weights. */
export interface Predictor {
  /** Index of the best class of each row of the batch. */
  classify(batch: Batch): Promise<Int32Array>;
  /**
   * Continuation of each prompt, without the prompt, ended before `stop`, after `maxTokens` or where the model's longest
   * text ends; empty for a prompt that is too long. With several samples those of a prompt lie side by side:
   * sample s of prompt p is at p · samples + s.
   *
   * @throws {RangeError} where a prompt is empty or a setting out of its range
   */
  generate(prompts: readonly Int32Array[], how: Generation): Promise<Int32Array[]>;
  /**
   * For each prompt, whether its greedy continuation begins with the continuation given, of 1 token or more.
   *
   * Costs one forward pass, where `generate` takes one a token: while all tokens before agree, the most likely token
   * at each place is what would have been generated there.
   */
  follows(
    prompts: readonly Int32Array[],
    continuations: readonly Int32Array[],
    types?: TokenTypes,
  ): Promise<boolean[]>;
  /**
   * For each prompt the mean negative log-likelihood of the continuation's tokens, 1 or more, in nats a token. Of a model that
   * classifies, the one token is the class, here and in `follows`.
   *
   * @throws {RangeError} where prompt and continuation are longer than the model's longest text
   */
  losses(
    prompts: readonly Int32Array[],
    continuations: readonly Int32Array[],
    types?: TokenTypes,
  ): Promise<Float32Array>;
}

/** Held-out examples: a sweep tunes on "validation" and reports on "test". */
export type Split = "validation" | "test";

/** A task's examples, ready to serve. Train, validation and test share no example. */
export interface TaskData {
  /** What a model must be built for. */
  readonly needs: ModelNeeds;
  /** The batch of a step (from 1): a pure function of seed and step, so that every method sees the same. */
  trainBatch(step: number, size: number): Batch;
  /** Validation batches for the loss curve, always the same. */
  validationBatches(size: number): Iterable<Batch>;
  /**
   * Batches of the test examples, for their loss, always the same. Every registered task has them of
   * its own examples; corpora have not, nor has real data with a test example that its rows are too short for.
   */
  testBatches?(size: number): Iterable<Batch>;
  /**
   * How many test examples there are, of which a run's slice is a part: slices overlap once they have gone round. Absent
   * where every slice has the same examples.
   */
  readonly testPool?: number;
  /** One score in [0, 1] for each example of the split, in a fixed order that no seed changes. */
  score(predictor: Predictor, split: Split): Promise<Float32Array>;
  /**
   * The score of always answering the commonest class of the split's examples, which a model reaches without telling them
   * apart; absent where answers are no classes.
   */
  commonest?(split: Split): number;
  /** How many examples of each class a pool has, in the order of the classes; absent where nobody asks. */
  classCounts?(pool: "train" | Split): readonly number[];
  /** What the task's measures of the split are made from, by their names: of each the same examples as `score`. */
  measure?(predictor: Predictor, split: Split): Promise<Readonly<Record<string, Measured>>>;
  /** What real data the examples are from; absent where they are the task's own. */
  readonly source?: DataSource;
  /** Names of the classes of real images, as many as outputs are needed; absent where the files have none. */
  readonly classes?: readonly string[];
}

/** Real data that a task took its examples from. */
export interface DataSource {
  /** Titles of the data sets that gave examples, e.g. "MetaMathQA and GSM8K". */
  readonly title: string;
  /** SHA-256 over names and bytes of the files that were read, in hex. */
  readonly fingerprint: string;
  /** How much of the data could be used, by pool. */
  readonly records: Readonly<Record<string, ReadRecord>>;
}

/** How much data a run takes. */
export interface TaskOptions {
  /** Seeds the order of the training examples. The examples themselves are the same for all seeds. */
  readonly seed: number;
  /** Examples to train on, again and again in new order. */
  readonly trainExamples: number;
  /** Examples for the loss curve and for choosing settings. */
  readonly validationExamples: number;
  /** Examples that only final scores are about. */
  readonly testExamples: number;
  /**
   * Which of the test examples, from 0: those from this many times `testExamples` on, going round where there are no more.
   * The first where absent.
   */
  readonly testSlice?: number;
  /** Path of a folder or a file with real data, to be used instead of the task's own. */
  readonly data?: string;
  /** True where the data has no training examples, and those that it publishes to test on are to be trained on. */
  readonly trainOnTest?: true;
  /** What the data's fingerprint was when the run was planned. The same files in another place are the same data. */
  readonly fingerprint?: string;
  /** How the data are read, where they are the user's own and no data set that the harness knows: they make the task. */
  readonly layout?: DataLayout;
}

/** The real data that a task can take. */
export interface RealDataKinds {
  /** Titles of the data sets. */
  readonly titles: readonly string[];
  /** What the score is called, where it isn't the task's own metric. */
  readonly metric?: string;
  /** SHA-256 over names and bytes of the files that `load` would read, in hex. @throws {DataError} */
  fingerprint(path: string): Promise<string>;
  /** Names of the classes, as `TaskData.classes`; absent where no file of such data has any. @throws {DataError} */
  classNames?(path: string): Promise<readonly string[] | undefined>;
  /**
   * Asks whether the process may do what runs on the data at a path need beyond reading; absent where they need nothing.
   *
   * @throws {DataError} where it may not, naming what allows it
   */
  requirePermission?(path: string): Promise<void>;
}

/**
 * What a task is run with where nobody says otherwise: sweeps over all tasks (`"*"` in benchmarks/sweeps/*.json, such as
 * the sweep "paper") take every registered task with its shipped settings, and whoever adds a task states them here.
 *
 * They are chosen on full fine-tuning and LoRA alone: at these steps neither sits at chance or at the ceiling, and one run
 * takes less than a minute on two cores. The task's docs tell the scores that they were chosen by.
 */
export interface ShippedSettings
  extends Pick<TaskOptions, "trainExamples" | "validationExamples" | "testExamples"> {
  /** A name from the model registry. */
  readonly model: string;
  /** Optimizer steps. */
  readonly steps: number;
  /** Examples of a step. */
  readonly batchSize: number;
}

/** A task as the registry lists it. */
export interface Task {
  /** Name in configs, files and charts, e.g. "arithmetic". */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** The kind of task. */
  readonly family: TaskFamily;
  /** How an example is scored. */
  readonly metric: Metric;
  /** What is measured beside the score, in the order of reports. */
  readonly measures?: readonly Measure[];
  /** Where the data is from: an address, or "generated". */
  readonly source: string;
  /** Every registered task has them; the corpora of pre-training have not. */
  readonly shipped?: ShippedSettings;
  /** The real data that it can take; absent where it takes none. */
  readonly realData?: RealDataKinds;
  /**
   * Makes or reads the examples.
   *
   * @param model what they are for; a task that needs none of it makes the same for all
   * @throws {RangeError} where more are asked for than there are
   * @throws {DataError} where real data can't be read or used
   */
  load(options: TaskOptions, model?: TaskModel): Promise<TaskData>;
}
