/** @file Row norms on the tape. */
import { columnSum, norm as kernel, normBackward } from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";

/** x / sqrt(mean(x²) + epsilon) · weight for each row. */
export function rmsNorm(tape: Tape, x: Var, weight: Var, epsilon: number): Var {
  return norm(tape, x, weight, null, epsilon, false);
}

/** (x − mean) / sqrt(variance + epsilon) · weight + bias for each row. */
export function layerNorm(tape: Tape, x: Var, weight: Var, bias: Var, epsilon: number): Var {
  return norm(tape, x, weight, bias, epsilon, true);
}

function norm(tape: Tape, x: Var, weight: Var, bias: Var | null, epsilon: number, center: boolean): Var {
  const { gpu } = tape;
  const { out, statistics } = kernel(gpu, x.value, weight.value, bias?.value ?? null, { epsilon, center });
  return tape.record({
    name: center ? "layerNorm" : "rmsNorm",
    inputs: bias ? [x, weight, bias] : [x, weight],
    output: out,
    backward(gradient, inputs) {
      if (inputs.wanted(0)) {
        normBackward(gpu, gradient, x.value, weight.value, statistics, { center, ...inputs.target(0) });
      }
      if (inputs.wanted(1)) {
        columnSum(gpu, gradient, { ...inputs.target(1), normalized: { x: x.value, statistics } });
      }
      if (bias && inputs.wanted(2)) columnSum(gpu, gradient, inputs.target(2));
    },
  });
}
