/** @file Typed access to the numbers recorded from PyTorch by record.py. */
import recorded from "./network.json" with { type: "json" };
import { type Matrix, matrix } from "../reference/matrix.ts";

/** A tensor as the file has it. */
interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** One differentiable function at one point. Vectors are matrices of one row, as a scalar output is `[1, 1]`. */
export interface GoldenCase {
  readonly inputs: Readonly<Record<string, Matrix>>;
  readonly output: Matrix;
  /** What the output was multiplied with before summing; all ones for a scalar. */
  readonly outputGradient: Matrix;
  /** Gradients of that sum, by input. */
  readonly gradients: Readonly<Record<string, Matrix>>;
}

/** Names of the recorded functions. */
export type GoldenName = Exclude<keyof typeof recorded.cases, `adamw${string}` | `lora${string}`>;

/** The recorded file itself, for options and trajectories. */
export const golden = recorded.cases;

/** Reads one recorded function; its options are in `golden[name].options`. */
export function goldenCase(name: GoldenName): GoldenCase {
  const stored = recorded.cases[name];
  const output = goldenMatrix(stored.output);
  const ones: Matrix = { rows: output.rows, columns: output.columns, data: output.data.map(() => 1) };
  const all = (record: Readonly<Record<string, Stored>>) =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [key, goldenMatrix(value)]));
  return {
    inputs: all(stored.inputs),
    output,
    outputGradient: "outputGradient" in stored ? goldenMatrix(stored.outputGradient) : ones,
    gradients: all(stored.gradients),
  };
}

/** A stored tensor of at most two axes as a matrix. */
export function goldenMatrix({ shape, data }: Stored): Matrix {
  const [rows = 1, columns = 1] = shape.length === 1 ? [1, shape[0]] : shape;
  return matrix(rows, columns, data);
}
