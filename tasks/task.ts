/** @file The contract of a task: host data in, scores out. Tasks never touch the GPU. */
import type { Batch, ModelFamily } from "../models/model.ts";
import type { ReadRecord } from "./data/read_record.ts";

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

/** How a task scores an example. */
export interface Metric {
  /** e.g. "accuracy", "exact match". Always 0 to 1, higher is better. */
  readonly name: string;
  /** Expected score of guessing. */
  readonly chance: number;
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
  /** The token before which it ends. */
  readonly stop: number;
  /** Greedy where absent: the most likely token each time. */
  readonly sampling?: Sampling;
}

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
  follows(prompts: readonly Int32Array[], continuations: readonly Int32Array[]): Promise<boolean[]>;
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
  /** One score in [0, 1] for each example of the split, in a fixed order that no seed changes. */
  score(predictor: Predictor, split: Split): Promise<Float32Array>;
  /** What real data the examples are from; absent where they are the task's own. */
  readonly source?: DataSource;
}

/** Real data that a task took its examples from. */
export interface DataSource {
  /** Titles of the data sets, e.g. "MetaMathQA and GSM8K". */
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
  /** Path of a folder or a file with real data, to be used instead of the task's own. */
  readonly data?: string;
  /** What the data's fingerprint was when the run was planned. The same files in another place are the same data. */
  readonly fingerprint?: string;
}

/** The real data that a task can take. */
export interface RealDataKinds {
  /** Titles of the data sets. */
  readonly titles: readonly string[];
  /** SHA-256 over names and bytes of the files that `load` would read, in hex. @throws {DataError} */
  fingerprint(path: string): Promise<string>;
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
  /** Where the data is from: an address, or "generated". */
  readonly source: string;
  /** The real data that it can take; absent where it takes none. */
  readonly realData?: RealDataKinds;
  /** Makes or reads the examples. @throws {RangeError} where more are asked for than there are */
  load(options: TaskOptions): Promise<TaskData>;
}
