/** @file Columns rescaled by magnitudes over norms, on the tape. */
import type { Tape, Var } from "../../autodiff/tape.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import * as kernels from "./magnitude.ts";

/**
 * x · magnitude / norm for each column of x `[.., out]`; 0 where the norm is 0. `norms` `[out]` are constants to the
 * backward pass, whatever they came from, and must stay as they are until then.
 */
export function scaleColumns(tape: Tape, x: Var, magnitude: Var, norms: Tensor): Var {
  return tape.record({
    name: "scaleColumns",
    overwritable: true,
    inputs: [x, magnitude],
    keeps: { x: x.value, magnitude: magnitude.value },
    output: kernels.scaleColumns(tape.gpu, x.value, { magnitude: magnitude.value, norms }),
    backward(gradient, inputs, { x, magnitude }) {
      const by = { magnitude, norms };
      if (inputs.wanted(1)) {
        kernels.scaleColumnsBackward(tape.gpu, gradient, x, by, {
          x: inputs.wanted(0) ? inputs.target(0) : null,
          magnitude: inputs.target(1),
        });
      } else kernels.scaleColumns(tape.gpu, gradient, by, inputs.target(0));
    },
  });
}
