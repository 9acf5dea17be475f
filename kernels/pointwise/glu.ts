/** @file Launches gated linear units and their gradients. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import { geluArgument } from "./gelu.ts";
import gluSource from "./glu.wgsl" with { type: "text" };
import gluBackwardSource from "./glu_backward.wgsl" with { type: "text" };
import { requireSameCount } from "./same_count.ts";

const gluKernel = composeKernel({
  name: "glu",
  source: gluSource,
  buffers: { gate: "read", up: "read", out: "read_write" },
  uniforms: { count: "u32" },
  constants: { GELU: false },
}, { snippets: { ...snippets, gelu_argument: geluArgument } });

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
    workgroups: groupsToShare(gpu, count),
  });
  return out;
}

const gluBackwardKernel = composeKernel({
  name: "glu_backward",
  source: gluBackwardSource,
  buffers: { gate: "read", up: "read", g: "read", gateGradient: "read_write", upGradient: "read_write" },
  uniforms: { count: "u32" },
  constants: { GELU: false },
}, { snippets: { ...snippets, gelu_argument: geluArgument } });

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
    workgroups: groupsToShare(gpu, count),
  });
  return { gate: gateGradient, up: upGradient };
}
