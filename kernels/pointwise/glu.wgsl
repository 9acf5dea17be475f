// out = f(gate) up: f is silu, or with GELU gelu by tanh.
struct Uniforms {
  count: u32,
}

override GELU = false;

@group(0) @binding(0) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> up: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

#use gelu_argument

fn each(i: u32) {
  let z = gate[i];
  // 0.5 (1 + tanh(t)) = sigmoid(2 t): both are z sigmoid(t) of some t.
  var t = z;
  if (GELU) {
    t = 2.0 * gelu_argument(z);
  }
  out[i] = z / (1.0 + exp(-t)) * up[i];
}

#use main_for_each vectors
