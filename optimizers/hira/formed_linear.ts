/** @file Linear maps whose whole weight is formed of what is trained, on the tape. */
import type { InputGradients, Tape, Var } from "../../autodiff/tape.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { matmul } from "../../kernels/mod.ts";

/** How a weight S `[out, in]` is formed, and how its gradient goes on. */
export interface FormedWeight {
  /** For errors. */
  readonly name: string;
  /** What S is made of and trained. */
  readonly trained: readonly Var[];
  /** S, at the values of the moment: called in the forward pass, and again in the backward pass. */
  form(): Tensor;
  /** Room for dL/dS, of S's shape. */
  readonly room: Tensor;
  /** Brings dL/dS to those of `trained` that are wanted: the first is input 1. */
  pull(gradient: Tensor, inputs: InputGradients): void;
}

/** x Sᵀ, x `[rows, in]`; gradients of x and of what S is made of. */
export function formedLinear(tape: Tape, x: Var, { name, trained, form, room, pull }: FormedWeight): Var {
  const { gpu } = tape;
  return tape.record({
    name,
    overwritable: true,
    inputs: [x, ...trained],
    keeps: { x: x.value },
    output: matmul(gpu, x.value, form(), { transposeB: true }),
    backward(gradient, inputs, { x }) {
      if (inputs.wanted(0)) matmul(gpu, gradient, form(), inputs.target(0));
      if (!trained.some((_, i) => inputs.wanted(1 + i))) return;
      pull(matmul(gpu, gradient, x, { transposeA: true, into: room }), inputs);
    },
  });
}
