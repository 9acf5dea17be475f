/** @file Launches activation functions and their gradients. A new function is a snippet in the table. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel, wgsl } from "../wgsl/compose.ts";
import { groupsToShare } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import source from "./activation.wgsl" with { type: "text" };
import { geluArgument } from "./gelu.ts";

/** gelu(x) = x Φ(x); its tanh approximation; x · sigmoid(1.702 x); max(x, 0), whose slope at 0 is 0. */
export type Activation = "gelu" | "gelu-tanh" | "quick-gelu" | "relu";

/** By name: WGSL of `value(v)` and of its derivative `slope(v)`, of four elements at once. */
const FUNCTIONS: Readonly<Record<Activation, string>> = {
  /** x Φ(x). */
  "gelu": wgsl`
    struct Normal {
      // Φ(v).
      below: vec4<f32>,
      // exp(-v²/2).
      bell: vec4<f32>,
    }

    // Φ(-|v|) = k r(1 - k) exp(-v²/2), k = 1 / (1 + |v| / √8), r(0) = 1/2: a fit of least relative error, 4.7e-8, to where
    // 32 bits end. In 1 - k = k |v| / √8, not k, since that keeps its digits near 0; and no difference of nearly equal numbers
    // is formed for a negative v.
    fn normal(v: vec4<f32>) -> Normal {
      let t = 0.35355338 * abs(v);
      let k = 1.0 / (1.0 + t);
      let d = t * k;
      var r = 0.092529792 - 0.029110617 * d;
      r = d * r - 0.072481898;
      r = d * r - 0.013104873;
      r = d * r - 0.058820346;
      r = d * r + 0.107273994;
      r = d * r + 0.243135165;
      r = d * r - 0.628376403;
      r = d * r + 0.5;
      let bell = exp(-0.5 * v * v);
      let tail = k * r * bell;
      return Normal(select(tail, 1.0 - tail, v >= vec4<f32>(0.0)), bell);
    }

    const ONE_OVER_ROOT_2PI = 0.3989422804;

    fn value(v: vec4<f32>) -> vec4<f32> {
      return v * normal(v).below;
    }

    fn slope(v: vec4<f32>) -> vec4<f32> {
      let at = normal(v);
      return at.below + v * ONE_OVER_ROOT_2PI * at.bell;
    }
  `,

  /** Gelu's approximation by tanh. */
  "gelu-tanh": wgsl`
    ${geluArgument}

    fn value(v: vec4<f32>) -> vec4<f32> {
      // 0.5 (1 + tanh(z)) = sigmoid(2 z), which keeps its relative accuracy where tanh is near -1.
      return v / (1.0 + exp(-2.0 * gelu_argument(v)));
    }

    fn slope(v: vec4<f32>) -> vec4<f32> {
      let z = gelu_argument(v);
      let s = 1.0 / (1.0 + exp(-2.0 * z));
      return s + 2.0 * v * s / (1.0 + exp(2.0 * z)) * ROOT_2_OVER_PI * (1.0 + 0.134145 * v * v);
    }
  `,

  /** x · sigmoid(1.702 x). */
  "quick-gelu": wgsl`
    fn value(v: vec4<f32>) -> vec4<f32> {
      return v / (1.0 + exp(-1.702 * v));
    }

    fn slope(v: vec4<f32>) -> vec4<f32> {
      let s = 1.0 / (1.0 + exp(-1.702 * v));
      return s * (1.0 + 1.702 * v * (1.0 - s));
    }
  `,

  /** max(x, 0), whose slope at 0 is 0. */
  "relu": wgsl`
    fn value(v: vec4<f32>) -> vec4<f32> {
      // Not max(), which may drop a NaN.
      return select(v, vec4<f32>(0.0), v <= vec4<f32>(0.0));
    }

    fn slope(v: vec4<f32>) -> vec4<f32> {
      return select(vec4<f32>(1.0), vec4<f32>(0.0), v <= vec4<f32>(0.0));
    }
  `,
};

/** Names of all activation functions. */
export const ACTIVATIONS = Object.keys(FUNCTIONS) as readonly Activation[];

function declare(activation: Activation) {
  return composeKernel({
    name: "activation",
    source,
    buffers: { x: "read", g: "read", out: "read_write" },
    uniforms: { count: "u32", accumulate: "u32" },
    constants: { BACKWARD: false },
  }, { snippets: { ...snippets, activation: FUNCTIONS[activation] } });
}

const kernels = Object.fromEntries(ACTIVATIONS.map((name) => [name, declare(name)])) as Readonly<
  Record<Activation, ReturnType<typeof declare>>
>;

/** f(x), elementwise. */
export function activation(gpu: Gpu, x: Tensor, kind: Activation): Tensor {
  const out = gpu.empty(x.shape, `${kind}(${x.label})`);
  const count = elementCount(x.shape);
  gpu.launch(kernels[kind], {
    buffers: { x, g: x, out },
    uniforms: { count, accumulate: 0 },
    workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
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
  gpu.launch(kernels[kind], {
    buffers: { x, g, out: into },
    uniforms: { count, accumulate: Number(accumulate) },
    constants: { BACKWARD: true },
    workgroups: groupsToShare(gpu, Math.ceil(count / 4)),
  });
}
