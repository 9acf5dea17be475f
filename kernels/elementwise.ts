/** @file Pointwise kernels: read together, so kept together. */
import type { Gpu } from "../gpu/gpu.ts";
import { defineKernel, lineOfGroups } from "../gpu/kernel.ts";
import { elementCount, type Tensor } from "../gpu/tensor.ts";
import accumulateSource from "./accumulate.wgsl" with { type: "text" };
import activationSource from "./activation.wgsl" with { type: "text" };
import addSource from "./add.wgsl" with { type: "text" };
import addRowSource from "./add_row.wgsl" with { type: "text" };
import swigluSource from "./swiglu.wgsl" with { type: "text" };
import swigluBackwardSource from "./swiglu_backward.wgsl" with { type: "text" };

/** Lanes of a workgroup in kernels that take one element or vector a lane. */
const LANES = 64;

/** Workgroups for `count` lanes. */
export function groupsFor(count: number): readonly [number, number] {
  return lineOfGroups(Math.ceil(count / LANES));
}

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

/** gelu(x) = x Φ(x); its tanh approximation; x · sigmoid(1.702 x). */
export type Activation = "gelu" | "gelu-tanh" | "quick-gelu";
const KINDS: Readonly<Record<Activation, number>> = { "gelu": 0, "gelu-tanh": 1, "quick-gelu": 2 };

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

const swigluKernel = defineKernel({
  name: "swiglu",
  source: swigluSource,
  buffers: { gate: "read", up: "read", out: "read_write" },
  uniforms: { count: "u32" },
  constants: {},
});

/** silu(gate) · up, elementwise. Source: Shazeer, arXiv 2002.05202. */
export function swiglu(gpu: Gpu, gate: Tensor, up: Tensor): Tensor {
  requireSameCount("swiglu", gate, up);
  const out = gpu.empty(gate.shape, "swiglu");
  const count = Math.ceil(elementCount(gate.shape) / 4);
  gpu.launch(swigluKernel, { buffers: { gate, up, out }, uniforms: { count }, workgroups: groupsFor(count) });
  return out;
}

const swigluBackwardKernel = defineKernel({
  name: "swiglu_backward",
  source: swigluBackwardSource,
  buffers: { gate: "read", up: "read", g: "read", gateGradient: "read_write", upGradient: "read_write" },
  uniforms: { count: "u32" },
  constants: {},
});

/** Gradients of `swiglu` for both of its factors. */
export function swigluBackward(gpu: Gpu, gate: Tensor, up: Tensor, g: Tensor): { gate: Tensor; up: Tensor } {
  const gateGradient = gpu.empty(gate.shape, "d gate"), upGradient = gpu.empty(up.shape, "d up");
  const count = Math.ceil(elementCount(gate.shape) / 4);
  gpu.launch(swigluBackwardKernel, {
    buffers: { gate, up, g, gateGradient, upGradient },
    uniforms: { count },
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
