/** @file Matrix products on the tape. */
import { matmul as product } from "../../kernels/mod.ts";
import type { LowPrecision, Tensor } from "../../gpu/tensor.ts";
import type { Tape, Var } from "../tape.ts";

/** How the product is formed. */
export interface MatmulOptions {
  /** B is `[columns, inner]`, as weights are. */
  readonly transposeB?: boolean;
  /** Factor of the product; 1 where absent. */
  readonly scale?: number;
}

/** A frozen weight in low precision: less memory, and no gradient. */
export interface LowPrecisionWeight {
  /** `[out, in]`. */
  readonly value: Tensor<LowPrecision>;
}

/** scale · A op(B). A is `[rows, inner]`, B `[inner, columns]` or transposed; both may lead with a batch axis. */
export function matmul(tape: Tape, a: Var, b: Var | LowPrecisionWeight, options: MatmulOptions = {}): Var {
  const { transposeB = false, scale = 1 } = options;
  const { gpu } = tape;
  return tape.record({
    name: "matmul",
    overwritable: true,
    inputs: [a, ...variableOf(b)],
    keeps: { a: a.value, b: b.value },
    output: product(gpu, a.value, b.value, { transposeB, scale }),
    backward(gradient, inputs, kept) {
      if (inputs.wanted(0)) {
        product(gpu, gradient, kept.b, { transposeB: !transposeB, scale, ...inputs.target(0) });
      }
      if (isVariable(b) && inputs.wanted(1)) {
        if (transposeB) product(gpu, gradient, kept.a, { transposeA: true, scale, ...inputs.target(1) });
        else product(gpu, kept.a, gradient, { transposeA: true, scale, ...inputs.target(1) });
      }
    },
  });
}

/**
 * x Wᵀ + scale · (x Aᵀ) Bᵀ: a linear map with a low-rank addition. x is `[rows, in]`, W `[out, in]`, A `[rank, in]`,
 * B `[out, rank]`.
 *
 * One operation, so that the output and the gradient of x are written once instead of once for each addend.
 */
export function adaptedLinear(
  tape: Tape,
  x: Var,
  weight: Var | LowPrecisionWeight,
  a: Var,
  b: Var,
  scale: number,
): Var {
  const { gpu } = tape;
  const inner = product(gpu, x.value, a.value, { transposeB: true });
  return tape.record({
    name: "adapted linear",
    overwritable: true,
    inputs: [x, a, b, ...variableOf(weight)],
    keeps: { x: x.value, inner, a: a.value, b: b.value, w: weight.value },
    output: product(gpu, x.value, weight.value, {
      transposeB: true,
      epilogue: { a: inner, b: b.value, scale },
    }),
    backward(gradient, inputs, { x, inner, a, b, w }) {
      if (inputs.wanted(0) || inputs.wanted(1)) {
        const dInner = product(gpu, gradient, b, { scale });
        if (inputs.wanted(0)) {
          product(gpu, gradient, w, { epilogue: { a: dInner, b: a, scale: 1 }, ...inputs.target(0) });
        }
        if (inputs.wanted(1)) product(gpu, dInner, x, { transposeA: true, ...inputs.target(1) });
      }
      if (inputs.wanted(2)) product(gpu, gradient, inner, { transposeA: true, scale, ...inputs.target(2) });
      if (isVariable(weight) && inputs.wanted(3)) {
        product(gpu, gradient, x, { transposeA: true, ...inputs.target(3) });
      }
    },
  });
}

/**
 * x Wᵀ + scale · inner Bᵀ: a linear map with an addition that has been brought to few numbers already. x is `[rows, in]`,
 * W `[out, in]`, inner `[rows, rank]`, B `[out, rank]`. One operation, as `adaptedLinear` is.
 */
export function linearWith(
  tape: Tape,
  x: Var,
  weight: Var | LowPrecisionWeight,
  { inner, b, scale }: { readonly inner: Var; readonly b: Var; readonly scale: number },
): Var {
  const { gpu } = tape;
  return tape.record({
    name: "linear with an addition",
    overwritable: true,
    inputs: [x, inner, b, ...variableOf(weight)],
    keeps: { x: x.value, inner: inner.value, b: b.value, w: weight.value },
    output: product(gpu, x.value, weight.value, {
      transposeB: true,
      epilogue: { a: inner.value, b: b.value, scale },
    }),
    backward(gradient, inputs, { x, inner, b, w }) {
      if (inputs.wanted(0)) product(gpu, gradient, w, inputs.target(0));
      if (inputs.wanted(1)) product(gpu, gradient, b, { scale, ...inputs.target(1) });
      if (inputs.wanted(2)) product(gpu, gradient, inner, { transposeA: true, scale, ...inputs.target(2) });
      if (isVariable(weight) && inputs.wanted(3)) {
        product(gpu, gradient, x, { transposeA: true, ...inputs.target(3) });
      }
    },
  });
}

/** False for a weight that is frozen in low precision. */
export function isVariable(weight: Var | LowPrecisionWeight): weight is Var {
  return weight.value.dtype === "f32";
}

/** The weight as an input that may want a gradient. @throws {TypeError} where low precision is to be trained */
function variableOf(weight: Var | LowPrecisionWeight): Var[] {
  if (isVariable(weight)) return [weight];
  if ("needsGradient" in weight && weight.needsGradient) {
    throw new TypeError(
      `Cannot differentiate by "${weight.value.label}": it is kept as ${weight.value.dtype}, which cannot be trained`,
    );
  }
  return [];
}
