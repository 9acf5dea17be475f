/** @file The gradients of all target modules as one tensor, for kernels that follow them as they follow the parameters. */
import type { Gradients, Parameter } from "../autodiff/tape.ts";
import { ELEMENT_BYTES, type Tensor } from "../gpu/tensor.ts";
import { spanOf } from "../kernels/mod.ts";

/** Gradients that lie in one buffer. */
export interface BatchedGradients {
  /** From the first gradient to the last, gaps included. */
  readonly flat: Tensor;
  /** Where the first gradient of each kind lies in `flat`, in numbers. */
  readonly starts: readonly number[];
}

/**
 * The gradients of some kinds of parameters, such as all A and all B. A kind's gradients must lie as its parameters do, so
 * that one table of places serves both.
 *
 * @throws {RangeError} where they do not lie in one buffer, kind by kind
 * @throws {Error} where a kind's gradients are packed unlike its parameters
 */
export function batchGradients(
  gradients: Gradients,
  kinds: readonly (readonly Parameter[])[],
  label: string,
): BatchedGradients {
  const flat = spanOf(kinds.flat().map((parameter) => gradients.of(parameter)), label);
  const starts = kinds.map((parameters) => {
    const first = parameters[0]!, start = gradients.of(first).offset;
    for (const parameter of parameters) {
      if (gradients.of(parameter).offset - start !== parameter.value.offset - first.value.offset) {
        throw new Error(
          `Cannot batch the gradients of "${first.name}" and "${parameter.name}": they are packed unlike the factors`,
        );
      }
    }
    return (start - flat.offset) / ELEMENT_BYTES;
  });
  return { flat, starts };
}
