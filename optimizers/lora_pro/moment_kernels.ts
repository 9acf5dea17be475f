/** @file The kernels that pass over whole moments, on any adapter. */
import { defineQuadKernel } from "../../kernels/wgsl/quads.ts";
import { LAYERS, own, SHAPE } from "./pair.ts";
import momentsSource from "./tangent_moments.wgsl" with { type: "text" };
import projectSource from "./tangent_project.wgsl" with { type: "text" };

/** Adam's moments, any adapter. */
export const momentsKernels = defineQuadKernel({
  name: "tangent_moments",
  source: momentsSource,
  buffers: {
    ...LAYERS,
    aLeft: "read",
    bLeft: "read",
    small: "read",
    aCoordinates: "read",
    bCoordinates: "read",
    m: "read_write",
    v: "read_write",
  },
  uniforms: {
    ...SHAPE,
    beta1: "f32",
    beta2: "f32",
    rest1: "f32",
    rest2: "f32",
  },
  constants: { PLAIN: false },
}, own);
/** Adam's direction in the factors' bases, any adapter. */
export const projectKernels = defineQuadKernel({
  name: "tangent_project",
  source: projectSource,
  buffers: { ...LAYERS, left: "read", small: "read", m: "read", v: "read", projected: "read_write" },
  uniforms: {
    ...SHAPE,
    correction1: "f32",
    correction2: "f32",
    epsilon: "f32",
  },
  constants: { OF_B: false, PLAIN: false },
}, own);
