/** @file What is common to the kernels that bend scores below a soft cap. */
import { wgsl } from "../wgsl/compose.ts";

/** WGSL of `soft_bound(z)`, tanh of a number or of each of four: the built-in one may err by more than single precision. */
export function softBound(type: "f32" | "vec4<f32>"): string {
  return wgsl`
    // tanh(z): Taylor's series below 1/2, where a difference from 1 would lose digits.
    fn soft_bound(z: ${type}) -> ${type} {
      let t = abs(z);
      let s = z * z;
      var p = s * 3.5921280e-3 - 8.8632355e-3;
      p = s * p + 2.1869489e-2;
      p = s * p - 5.3968254e-2;
      p = s * p + 0.13333333;
      p = s * p - 0.33333333;
      p = s * p + 1.0;
      return select(sign(z) * (1.0 - 2.0 / (1.0 + exp(2.0 * t))), z * p, t < ${type}(0.5));
    }
  `;
}
