// One AdamW update of `count` vectors: decoupled decay, bias-corrected moments.
struct Uniforms {
  count: u32,
  rate: f32,
  decay: f32,
  beta1: f32,
  beta2: f32,
  // 1 - beta, rounded once: in f32 the difference would be off by 1e-5.
  rest1: f32,
  rest2: f32,
  // 1 / (1 - beta^t), computed on the host in float64.
  correction1: f32,
  correction2: f32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> p: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> u: Uniforms;

fn each(i: u32) {
  let d = g[i];
  let first = u.beta1 * m[i] + u.rest1 * d;
  let second = u.beta2 * v[i] + u.rest2 * d * d;
  m[i] = first;
  v[i] = second;
  let direction = first * u.correction1 / (sqrt(second * u.correction2) + u.epsilon);
  p[i] = p[i] * (1.0 - u.rate * u.decay) - u.rate * direction;
}

#use main_for_each vectors
