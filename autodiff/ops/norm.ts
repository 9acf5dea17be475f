/** @file Row norms on the tape. */
import type { Tensor } from "../../gpu/tensor.ts";
import { addNorm as addKernel, columnSum, norm as kernel, normBackward } from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";
import type { Overwriting } from "./elementwise.ts";

/** x / sqrt(mean(x²) + epsilon) · weight for each row. */
export function rmsNorm(tape: Tape, x: Var, weight: Var, epsilon: number): Var {
  return norm(tape, x, weight, null, epsilon, false);
}

/** (x − mean) / sqrt(variance + epsilon) · weight + bias for each row. */
export function layerNorm(tape: Tape, x: Var, weight: Var, bias: Var, epsilon: number): Var {
  return norm(tape, x, weight, bias, epsilon, true);
}

/** A sum and its norm: two variables from one pass. */
export interface SumAndNorm {
  /** x + y, where a residual stream goes on. */
  readonly sum: Var;
  /** The norm of x + y, where a branch begins. */
  readonly normed: Var;
}

/** `rmsNorm` of x + y, of equal shape, and x + y itself, in the place of y as `add` has it. */
export function addRmsNorm(
  tape: Tape,
  x: Var,
  y: Var,
  weight: Var,
  epsilon: number,
  overwriting?: Overwriting,
): SumAndNorm {
  return addNorm(tape, x, y, { weight, bias: null }, epsilon, overwriting);
}

/** `layerNorm` of x + y, of equal shape, and x + y itself, in the place of y as `add` has it. */
export function addLayerNorm(
  tape: Tape,
  x: Var,
  y: Var,
  weight: Var,
  bias: Var,
  epsilon: number,
  overwriting?: Overwriting,
): SumAndNorm {
  return addNorm(tape, x, y, { weight, bias }, epsilon, overwriting);
}

function norm(tape: Tape, x: Var, weight: Var, bias: Var | null, epsilon: number, center: boolean): Var {
  const result = kernel(tape.gpu, x.value, weight.value, bias?.value ?? null, { epsilon, center });
  return recordNorm(tape, x, weight, bias, center, result);
}

function addNorm(
  tape: Tape,
  x: Var,
  y: Var,
  { weight, bias }: { readonly weight: Var; readonly bias: Var | null },
  epsilon: number,
  { overwrite = false }: Overwriting = {},
): SumAndNorm {
  const center = bias !== null;
  const options = { epsilon, center, overwrite: overwrite && y.overwritable === true };
  const result = addKernel(tape.gpu, x.value, y.value, weight.value, bias?.value ?? null, options);
  const sum = tape.record({
    name: "add",
    inputs: [x, y],
    keeps: {},
    output: result.sum,
    backward(gradient, inputs) {
      inputs.pass(0, gradient);
      inputs.pass(1, gradient);
    },
  });
  return { sum, normed: recordNorm(tape, sum, weight, bias, center, result) };
}

function recordNorm(
  tape: Tape,
  x: Var,
  weight: Var,
  bias: Var | null,
  center: boolean,
  { out, statistics }: { readonly out: Tensor; readonly statistics: Tensor },
): Var {
  const { gpu } = tape;
  return tape.record({
    name: center ? "layerNorm" : "rmsNorm",
    overwritable: true,
    inputs: bias ? [x, weight, bias] : [x, weight],
    keeps: { x: x.value, weight: weight.value },
    output: out,
    backward(gradient, inputs, { x, weight }) {
      if (inputs.wanted(0)) {
        normBackward(gpu, gradient, x, weight, statistics, { center, ...inputs.target(0) });
      }
      if (inputs.wanted(1)) {
        columnSum(gpu, gradient, { ...inputs.target(1), normalized: { x, statistics } });
      }
      if (bias && inputs.wanted(2)) columnSum(gpu, gradient, inputs.target(2));
    },
  });
}
