/** @file The contract of a task: host data in, scores out. Tasks never touch the GPU. */
import type { Batch, ModelFamily } from "../models/model.ts";

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

/** What a task measures beside its score. */
export interface Measure {
  /** e.g. "exact reply", "Matthews correlation". */
  readonly name: string;
  /** Which way it gets better. */
  readonly better: "higher" | "lower";
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
  /**
   * For each prompt the mean negative log-likelihood of the continuation's tokens, 1 or more, in nats a token.
   *
   * @throws {RangeError} where prompt and continuation are longer than the model's longest text
   */
  losses(prompts: readonly Int32Array[], continuations: readonly Int32Array[]): Promise<Float32Array>;
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
  /** What the task's measures are made from, by their names: of each the same examples as `score`. */
  measure?(predictor: Predictor, split: Split): Promise<Readonly<Record<string, Measured>>>;
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
  /** Makes or reads the examples. @throws {RangeError} where more are asked for than there are */
  load(options: TaskOptions): Promise<TaskData>;
}
