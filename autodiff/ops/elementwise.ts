/** @file Sums, bias, activations and shapes on the tape. */
import { type Shape, withShape } from "../../gpu/tensor.ts";
import * as kernels from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";

/** Whether what an operation takes in may be written over where nothing but the operation takes it in. */
export interface Overwriting {
  /** True where nothing else takes it in, now or later; false where absent. */
  readonly overwrite?: boolean;
}

/** a + b, of equal shape; in the place of b where nothing but this takes it in, which `overwrite` says, and it may be. */
export function add(tape: Tape, a: Var, b: Var, { overwrite = false }: Overwriting = {}): Var {
  const isOverwritten = overwrite && b.overwritable === true;
  if (isOverwritten) kernels.accumulate(tape.gpu, b.value, a.value);
  return tape.record({
    name: "add",
    inputs: [a, b],
    keeps: {},
    output: isOverwritten ? b.value : kernels.add(tape.gpu, a.value, b.value),
    backward(gradient, inputs) {
      inputs.pass(0, gradient);
      inputs.pass(1, gradient);
    },
  });
}

/** Adds `row` `[columns]` to every row of `x`; in its place as `add` does. */
export function addRow(tape: Tape, x: Var, row: Var, { overwrite = false }: Overwriting = {}): Var {
  const isOverwritten = overwrite && x.overwritable === true;
  if (isOverwritten) kernels.accumulateRow(tape.gpu, x.value, row.value);
  return tape.record({
    name: "addRow",
    overwritable: true,
    inputs: [x, row],
    keeps: {},
    output: isOverwritten ? x.value : kernels.addRow(tape.gpu, x.value, row.value),
    backward(gradient, inputs) {
      inputs.pass(0, gradient);
      if (inputs.wanted(1)) kernels.columnSum(tape.gpu, gradient, inputs.target(1));
    },
  });
}

/** f(x), elementwise. */
export function activation(tape: Tape, x: Var, kind: kernels.Activation): Var {
  return tape.record({
    name: kind,
    inputs: [x],
    keeps: { x: x.value },
    output: kernels.activation(tape.gpu, x.value, kind),
    backward(gradient, inputs, { x }) {
      const { into, accumulate } = inputs.target(0);
      kernels.activationBackward(tape.gpu, x, gradient, kind, into, accumulate);
    },
  });
}

/** cap · tanh(x / cap), elementwise, `cap` above 0. */
export function softCap(tape: Tape, x: Var, cap: number): Var {
  return tape.record({
    name: "softCap",
    inputs: [x],
    keeps: { x: x.value },
    output: kernels.softCap(tape.gpu, x.value, cap),
    backward(gradient, inputs, { x }) {
      const { into, accumulate } = inputs.target(0);
      kernels.softCapBackward(tape.gpu, x, gradient, cap, into, accumulate);
    },
  });
}

/** factor · x, elementwise. */
export function scale(tape: Tape, x: Var, factor: number): Var {
  return tape.record({
    name: "scale",
    inputs: [x],
    keeps: {},
    output: kernels.add(tape.gpu, x.value, x.value, factor, 0),
    backward(gradient, inputs) {
      inputs.pass(0, kernels.add(tape.gpu, gradient, gradient, factor, 0));
    },
  });
}

/** Multiplies every row of `x` by `row` `[columns]`, element by element. */
export function scaleColumns(tape: Tape, x: Var, row: Var): Var {
  const { gpu } = tape;
  return tape.record({
    name: "scaleColumns",
    overwritable: true,
    inputs: [x, row],
    keeps: { x: x.value, row: row.value },
    output: kernels.multiply(gpu, x.value, row.value),
    backward(gradient, inputs, { x, row }) {
      if (inputs.wanted(0)) kernels.multiply(gpu, gradient, row, inputs.target(0));
      if (inputs.wanted(1)) {
        using _ = gpu.scope("products", "scratch");
        kernels.columnSum(gpu, kernels.multiply(gpu, gradient, x), inputs.target(1));
      }
    },
  });
}

/** silu(gate) · up, elementwise. */
export function swiglu(tape: Tape, gate: Var, up: Var): Var {
  return gatedLinearUnit(tape, gate, up, "swiglu", kernels.swiglu, kernels.swigluBackward);
}

/** gelu(gate) · up, elementwise, by gelu's tanh approximation. */
export function geglu(tape: Tape, gate: Var, up: Var): Var {
  return gatedLinearUnit(tape, gate, up, "geglu", kernels.geglu, kernels.gegluBackward);
}

function gatedLinearUnit(
  tape: Tape,
  gate: Var,
  up: Var,
  name: string,
  forward: typeof kernels.swiglu,
  backward: typeof kernels.swigluBackward,
): Var {
  return tape.record({
    name,
    inputs: [gate, up],
    keeps: { gate: gate.value, up: up.value },
    output: forward(tape.gpu, gate.value, up.value),
    backward(gradient, inputs, { gate, up }) {
      const gradients = backward(tape.gpu, gate, up, gradient);
      inputs.pass(0, gradients.gate);
      inputs.pass(1, gradients.up);
    },
  });
}

/** The same elements under another shape. */
export function reshape(tape: Tape, x: Var, shape: Shape): Var {
  const before = x.value.shape;
  return tape.record({
    name: "reshape",
    inputs: [x],
    keeps: {},
    output: withShape(x.value, shape),
    backward(gradient, inputs) {
      inputs.pass(0, withShape(gradient, before));
    },
  });
}
