/** @file Matrix products on the tape. */
import { matmul as product } from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";

/** How the product is formed. */
export interface MatmulOptions {
  /** B is `[columns, inner]`, as weights are. */
  readonly transposeB?: boolean;
  /** Factor of the product; 1 where absent. */
  readonly scale?: number;
  /**
   * Adds the product to this variable's tensor instead of a fresh one. Only for an output that its own backward pass
   * does not read and that nothing else uses, such as that of another product.
   */
  readonly onto?: Var;
}

/** scale · A op(B) (+ onto). A is `[rows, inner]`, B `[inner, columns]` or transposed; both may lead with a batch axis. */
export function matmul(tape: Tape, a: Var, b: Var, options: MatmulOptions = {}): Var {
  const { transposeB = false, scale = 1, onto } = options;
  const { gpu } = tape;
  const output = product(gpu, a.value, b.value, {
    transposeB,
    scale,
    ...(onto ? { into: onto.value, accumulate: true } : {}),
  });
  return tape.record({
    name: "matmul",
    inputs: onto ? [a, b, onto] : [a, b],
    output,
    backward(gradient, inputs) {
      if (inputs.wanted(0)) {
        product(gpu, gradient, b.value, { transposeB: !transposeB, scale, ...inputs.target(0) });
      }
      if (inputs.wanted(1)) {
        if (transposeB) product(gpu, gradient, a.value, { transposeA: true, scale, ...inputs.target(1) });
        else product(gpu, a.value, gradient, { transposeA: true, scale, ...inputs.target(1) });
      }
      if (onto) inputs.pass(2, gradient);
    },
  });
}
