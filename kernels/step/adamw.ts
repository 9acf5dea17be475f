/** @file The AdamW update of a stretch of parameters. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import source from "./adamw.wgsl" with { type: "text" };

const kernel = composeKernel({
  name: "adamw",
  source,
  buffers: { g: "read", p: "read_write", m: "read_write", v: "read_write" },
  uniforms: {
    count: "u32",
    rate: "f32",
    decay: "f32",
    beta1: "f32",
    beta2: "f32",
    rest1: "f32",
    rest2: "f32",
    correction1: "f32",
    correction2: "f32",
    epsilon: "f32",
  },
  constants: {},
}, { snippets });

/** Settings of one update. */
export interface AdamwUpdate {
  /** 1 for the first. */
  readonly step: number;
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/**
 * p ← p (1 − rate · decay) − rate · m̂ / (√v̂ + epsilon), in place with its moments.
 *
 * All four tensors have the same element count, a multiple of four or one with room behind it.
 * Source: Loshchilov and Hutter, arXiv 1711.05101, algorithm 2.
 */
export function adamwUpdate(
  gpu: Gpu,
  tensors: { readonly parameter: Tensor; readonly gradient: Tensor; readonly m: Tensor; readonly v: Tensor },
  update: AdamwUpdate,
): void {
  const { parameter, gradient, m, v } = tensors;
  const count = Math.ceil(elementCount(parameter.shape) / 4);
  gpu.launch(kernel, {
    buffers: { g: gradient, p: parameter, m, v },
    uniforms: {
      count,
      rate: update.learningRate,
      decay: update.weightDecay,
      beta1: update.beta1,
      beta2: update.beta2,
      rest1: 1 - update.beta1,
      rest2: 1 - update.beta2,
      correction1: 1 / (1 - update.beta1 ** update.step),
      correction2: 1 / (1 - update.beta2 ** update.step),
      epsilon: update.epsilon,
    },
    workgroups: groupsToShare(gpu, count),
  });
}
