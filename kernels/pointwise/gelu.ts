/** @file What is common to the kernels that take gelu by its tanh approximation. */
import { wgsl } from "../wgsl/compose.ts";

/** WGSL of tanh's argument in gelu(x) = 0.5 x (1 + tanh(..)). */
export const geluArgument: string = wgsl`
  const ROOT_2_OVER_PI = 0.7978845608;

  // Tanh's argument in gelu's approximation.
  fn gelu_argument(v: vec4<f32>) -> vec4<f32> {
    return ROOT_2_OVER_PI * (v + 0.044715 * v * v * v);
  }
`;
