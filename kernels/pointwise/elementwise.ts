/** @file Pointwise kernels: read together, so kept together. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import accumulateSource from "./accumulate.wgsl" with { type: "text" };
import activationSource from "./activation.wgsl" with { type: "text" };
import addSource from "./add.wgsl" with { type: "text" };
import addRowSource from "./add_row.wgsl" with { type: "text" };
import gluSource from "./glu.wgsl" with { type: "text" };
import gluBackwardSource from "./glu_backward.wgsl" with { type: "text" };

const addKernel = defineKernel({
  name: "add",
  source: addSource,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { count: "u32", period: "u32", scaleA: "f32", scaleB: "f32" },
  constants: { ROW: false },
});

/** scaleA · a + scaleB · b, for tensors with the same element count. */
export function add(gpu: Gpu, a: Tensor, b: Tensor, scaleA = 1, scaleB = 1): Tensor {
  requireSameCount("add", a, b);
  const out = gpu.empty(a.shape, `${a.label} + ${b.label}`);
  const count = Math.ceil(elementCount(a.shape) / 4);
  gpu.launch(addKernel, {
    buffers: { a, b, out },
    uniforms: { count, period: count, scaleA, scaleB },
    workgroups: groupsFor(count),
  });
  return out;
}

const addRowKernel = defineKernel({
  name: "add_row",
  source: addRowSource,
  buffers: { a: "read", b: "read", out: "read_write" },
  uniforms: { count: "u32", columns: "u32" },
  constants: {},
});

/** Adds `row` `[columns]` to every row of `x` `[.., columns]`. */
export function addRow(gpu: Gpu, x: Tensor, row: Tensor): Tensor {
  const count = elementCount(x.shape), columns = elementCount(row.shape);
  if (x.shape.at(-1) !== columns) {
    throw new RangeError(
      `Cannot add row "${row.label}" [${row.shape}] to "${x.label}" [${x.shape}]: ${
        x.shape.at(-1)
      } columns are needed`,
    );
  }
  const out = gpu.empty(x.shape, `${x.label} + ${row.label}`);
  if (columns % 4 === 0) {
    gpu.launch(addKernel, {
      buffers: { a: x, b: row, out },
      uniforms: { count: count / 4, period: columns / 4, scaleA: 1, scaleB: 1 },
      constants: { ROW: true },
      workgroups: groupsFor(count / 4),
    });
  } else {
    gpu.launch(addRowKernel, {
      buffers: { a: x, b: row, out },
      uniforms: { count, columns },
      workgroups: groupsFor(count),
    });
  }
  return out;
}

const accumulateKernel = defineKernel({
  name: "accumulate",
  source: accumulateSource,
  buffers: { x: "read", sum: "read_write" },
  uniforms: { count: "u32", scale: "f32" },
  constants: {},
});

/** target += scale · x, in place. */
export function accumulate(gpu: Gpu, target: Tensor, x: Tensor, scale = 1): void {
  requireSameCount("accumulate", target, x);
  const count = elementCount(x.shape);
  gpu.launch(accumulateKernel, {
    buffers: { x, sum: target },
    uniforms: { count, scale },
    workgroups: groupsFor(Math.ceil(count / 4)),
  });
}

/** gelu(x) = x Φ(x); its tanh approximation; x · sigmoid(1.702 x); max(x, 0), whose slope at 0 is 0. */
export type Activation = "gelu" | "gelu-tanh" | "quick-gelu" | "relu";
const KINDS: Readonly<Record<Activation, number>> = {
  "gelu": 0,
  "gelu-tanh": 1,
  "quick-gelu": 2,
  "relu": 3,
};

const activationKernel = defineKernel({
  name: "activation",
  source: activationSource,
  buffers: { x: "read", g: "read", out: "read_write" },
  uniforms: { count: "u32", accumulate: "u32" },
  constants: { KIND: 0, BACKWARD: false },
});

/** f(x), elementwise. */
export function activation(gpu: Gpu, x: Tensor, kind: Activation): Tensor {
  const out = gpu.empty(x.shape, `${kind}(${x.label})`);
  const count = elementCount(x.shape);
  gpu.launch(activationKernel, {
    buffers: { x, g: x, out },
    uniforms: { count, accumulate: 0 },
    constants: { KIND: KINDS[kind] },
    workgroups: groupsFor(Math.ceil(count / 4)),
  });
  return out;
}

/** into (+)= g · f'(x), elementwise. */
export function activationBackward(
  gpu: Gpu,
  x: Tensor,
  g: Tensor,
  kind: Activation,
  into: Tensor,
  accumulate: boolean,
): void {
  const count = elementCount(x.shape);
  gpu.launch(activationKernel, {
    buffers: { x, g, out: into },
    uniforms: { count, accumulate: Number(accumulate) },
    constants: { KIND: KINDS[kind], BACKWARD: true },
    workgroups: groupsFor(Math.ceil(count / 4)),
  });
}

const gluKernel = defineKernel({
  name: "glu",
  source: gluSource,
  buffers: { gate: "read", up: "read", out: "read_write" },
  uniforms: { count: "u32" },
  constants: { GELU: false },
});

/** silu(gate) · up, elementwise. Source: Shazeer, arXiv 2002.05202. */
export function swiglu(gpu: Gpu, gate: Tensor, up: Tensor): Tensor {
  return glu(gpu, gate, up, "swiglu");
}

/** gelu(gate) · up, elementwise, by gelu's tanh approximation. Source: Shazeer, arXiv 2002.05202. */
export function geglu(gpu: Gpu, gate: Tensor, up: Tensor): Tensor {
  return glu(gpu, gate, up, "geglu");
}

function glu(gpu: Gpu, gate: Tensor, up: Tensor, kind: "swiglu" | "geglu"): Tensor {
  requireSameCount(kind, gate, up);
  const out = gpu.empty(gate.shape, kind);
  const count = Math.ceil(elementCount(gate.shape) / 4);
  gpu.launch(gluKernel, {
    buffers: { gate, up, out },
    uniforms: { count },
    constants: { GELU: kind === "geglu" },
    workgroups: groupsFor(count),
  });
  return out;
}

const gluBackwardKernel = defineKernel({
  name: "glu_backward",
  source: gluBackwardSource,
  buffers: { gate: "read", up: "read", g: "read", gateGradient: "read_write", upGradient: "read_write" },
  uniforms: { count: "u32" },
  constants: { GELU: false },
});

/** Gradients of a gated linear unit for both of its factors. */
export interface GluGradients {
  /** Of what the activation function is applied to. */
  readonly gate: Tensor;
  /** Of the other factor. */
  readonly up: Tensor;
}

/** Gradients of `swiglu` for both of its factors. */
export function swigluBackward(gpu: Gpu, gate: Tensor, up: Tensor, g: Tensor): GluGradients {
  return gluBackward(gpu, gate, up, g, "swiglu");
}

/** Gradients of `geglu` for both of its factors. */
export function gegluBackward(gpu: Gpu, gate: Tensor, up: Tensor, g: Tensor): GluGradients {
  return gluBackward(gpu, gate, up, g, "geglu");
}

function gluBackward(
  gpu: Gpu,
  gate: Tensor,
  up: Tensor,
  g: Tensor,
  kind: "swiglu" | "geglu",
): GluGradients {
  const gateGradient = gpu.empty(gate.shape, "d gate"), upGradient = gpu.empty(up.shape, "d up");
  const count = Math.ceil(elementCount(gate.shape) / 4);
  gpu.launch(gluBackwardKernel, {
    buffers: { gate, up, g, gateGradient, upGradient },
    uniforms: { count },
    constants: { GELU: kind === "geglu" },
    workgroups: groupsFor(count),
  });
  return { gate: gateGradient, up: upGradient };
}

function requireSameCount(action: string, a: Tensor, b: Tensor): void {
  if (elementCount(a.shape) !== elementCount(b.shape)) {
    throw new RangeError(
      `Cannot ${action} "${a.label}" [${a.shape}] and "${b.label}" [${b.shape}]: element counts differ`,
    );
  }
}
