/** @file Typed access to the methods' trajectories that methods.py recorded from PyTorch. */
import type { Options } from "../../optimizers/optimizer.ts";
import recorded from "./methods.json" with { type: "json" };

/** A tensor as the file has it, row-major. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Tensors by name. */
export type GoldenTensors = Readonly<Record<string, GoldenTensor>>;

/** Five steps of one method with one set of options. */
export interface GoldenTrajectory {
  /** The method's id. */
  readonly method: string;
  /** What differs from the method's defaults. */
  readonly options: Options;
  readonly learningRate: number;
  /** True where the start follows from weights and gradients; false where it is to be written. */
  readonly computed: boolean;
  /** What is trained, and what else a random start consists of. */
  readonly start: GoldenTensors;
  /** Effective weights by target module, where the start is computed. */
  readonly startWeights?: GoldenTensors;
  readonly steps: readonly {
    /** Before the step. */
    readonly loss: number;
    /** After it. */
    readonly trained: GoldenTensors;
  }[];
  /** Effective weights by target module, after the last step. */
  readonly weights: GoldenTensors;
}

/** The network and its batch: see methods.py. */
export interface GoldenProblem {
  /** By target module. */
  readonly weights: GoldenTensors;
  /** By target module. */
  readonly biases: GoldenTensors;
  readonly x: GoldenTensor;
  readonly target: GoldenTensor;
}

/** What all methods train. */
export const goldenProblem: GoldenProblem = recorded.problem;

/** The trajectories by name. */
export const goldenTrajectories: Readonly<Record<string, GoldenTrajectory>> = recorded.cases;
