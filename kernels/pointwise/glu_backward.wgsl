// Gradients of f(gate) up for both factors: f is silu, or with GELU gelu by tanh.
struct Uniforms {
  count: u32,
}

override GELU = false;

@group(0) @binding(0) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> up: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gate_gradient: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> up_gradient: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> u: Uniforms;

#use gelu_argument

fn each(i: u32) {
  let z = gate[i];
  let d = g[i];
  if (GELU) {
    let t = 2.0 * gelu_argument(z);
    let s = 1.0 / (1.0 + exp(-t));
    let slope = 2.0 * ROOT_2_OVER_PI * (1.0 + 0.134145 * z * z);
    // 1 - s as a quotient keeps its accuracy where s is near 1.
    gate_gradient[i] = d * up[i] * (s + z * s / (1.0 + exp(t)) * slope);
    up_gradient[i] = d * z * s;
  } else {
    let s = 1.0 / (1.0 + exp(-z));
    gate_gradient[i] = d * up[i] * s * (1.0 + z * (1.0 - s));
    up_gradient[i] = d * z * s;
  }
}

#use main_for_each vectors
