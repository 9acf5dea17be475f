/** @file Launches activation functions and their gradients. A new function is a snippet in the table. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel, wgsl } from "../wgsl/compose.ts";
import { groupsFor } from "../wgsl/groups.ts";
import source from "./activation.wgsl" with { type: "text" };
import { geluArgument } from "./gelu.ts";

/** gelu(x) = x Φ(x); its tanh approximation; x · sigmoid(1.702 x); max(x, 0), whose slope at 0 is 0. */
export type Activation = "gelu" | "gelu-tanh" | "quick-gelu" | "relu";

/** By name: WGSL of `value(v)` and of its derivative `slope(v)`, of four elements at once. */
const FUNCTIONS: Readonly<Record<Activation, string>> = {
  /** x Φ(x). */
  "gelu": wgsl`
    // Error function: Taylor's series below 1, where Chebyshev fits of erfc lose small values to cancellation.
    fn error_function(z: vec4<f32>) -> vec4<f32> {
      let t = abs(z);
      // sum of (-1)^n z^2n / (n! (2 n + 1)), to n = 10.
      let s = z * z;
      var p = s / 76204800.0 - 1.0 / 6894720.0;
      p = s * p + 1.0 / 685440.0;
      p = s * p - 1.0 / 75600.0;
      p = s * p + 1.0 / 9360.0;
      p = s * p - 1.0 / 1320.0;
      p = s * p + 1.0 / 216.0;
      p = s * p - 1.0 / 42.0;
      p = s * p + 0.1;
      p = s * p - 1.0 / 3.0;
      p = s * p + 1.0;
      // Source: Press et al., Numerical Recipes, erfcc: relative error of erfc below 1.2e-7.
      let k = 1.0 / (1.0 + 0.5 * t);
      var q = k * 0.17087277 - 0.82215223;
      q = k * q + 1.48851587;
      q = k * q - 1.13520398;
      q = k * q + 0.27886807;
      q = k * q - 0.18628806;
      q = k * q + 0.09678418;
      q = k * q + 0.37409196;
      q = k * q + 1.00002368;
      let complement = k * exp(-t * t - 1.26551223 + k * q);
      return select(sign(z) * (1.0 - complement), 1.1283791671 * z * p, t < vec4<f32>(1.0));
    }

    const ONE_OVER_ROOT_2 = 0.70710678118;
    const ONE_OVER_ROOT_2PI = 0.3989422804;

    fn value(v: vec4<f32>) -> vec4<f32> {
      return 0.5 * v * (1.0 + error_function(v * ONE_OVER_ROOT_2));
    }

    fn slope(v: vec4<f32>) -> vec4<f32> {
      return 0.5 * (1.0 + error_function(v * ONE_OVER_ROOT_2)) + v * ONE_OVER_ROOT_2PI * exp(-0.5 * v * v);
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
  }, { snippets: { activation: FUNCTIONS[activation] } });
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
  gpu.launch(kernels[kind], {
    buffers: { x, g, out: into },
    uniforms: { count, accumulate: Number(accumulate) },
    constants: { BACKWARD: true },
    workgroups: groupsFor(Math.ceil(count / 4)),
  });
}
