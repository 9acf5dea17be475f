/** @file The loss on the tape. */
import type { Tensor } from "../../gpu/tensor.ts";
import { crossEntropy as kernel, crossEntropyBackward } from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";

/**
 * Σ −log softmax(logits)[target] / count as a scalar `[1]`; rows with a negative target count as 0.
 *
 * `count` is the number of targets of the whole batch, so that the losses of a batch's parts add up to the batch's.
 */
export function crossEntropy(tape: Tape, logits: Var, targets: Tensor<"i32">, count: number): Var {
  const { loss, normalizers } = kernel(tape.gpu, logits.value, targets, count);
  return tape.record({
    name: "crossEntropy",
    inputs: [logits],
    keeps: { logits: logits.value },
    output: loss,
    backward(gradient, inputs, { logits }) {
      inputs.pass(0, crossEntropyBackward(tape.gpu, logits, targets, normalizers, count, gradient));
    },
  });
}
