// out = f(x), or with BACKWARD out (+)= g f'(x), four elements a lane. KIND 0: gelu by the error function; 1: gelu by tanh; 2: x sigmoid(1.702 x); 3: max(x, 0).
struct Uniforms {
  count: u32,
  accumulate: u32,
}

override KIND = 0u;
override BACKWARD = false;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

const ROOT_2_OVER_PI = 0.7978845608;
const ONE_OVER_ROOT_2PI = 0.3989422804;

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

// The argument of tanh in gelu's approximation.
fn inner(v: vec4<f32>) -> vec4<f32> {
  return ROOT_2_OVER_PI * (v + 0.044715 * v * v * v);
}

fn value(v: vec4<f32>) -> vec4<f32> {
  if (KIND == 0u) {
    return 0.5 * v * (1.0 + error_function(v * 0.70710678118));
  }
  if (KIND == 1u) {
    // 0.5 (1 + tanh(z)) = sigmoid(2 z), which keeps its relative accuracy where tanh is near -1.
    return v / (1.0 + exp(-2.0 * inner(v)));
  }
  if (KIND == 3u) {
    // Not max(), which may drop a NaN.
    return select(v, vec4<f32>(0.0), v <= vec4<f32>(0.0));
  }
  return v / (1.0 + exp(-1.702 * v));
}

fn slope(v: vec4<f32>) -> vec4<f32> {
  if (KIND == 0u) {
    return 0.5 * (1.0 + error_function(v * 0.70710678118)) + v * ONE_OVER_ROOT_2PI * exp(-0.5 * v * v);
  }
  if (KIND == 1u) {
    let z = inner(v);
    let s = 1.0 / (1.0 + exp(-2.0 * z));
    return s + 2.0 * v * s / (1.0 + exp(2.0 * z)) * ROOT_2_OVER_PI * (1.0 + 0.134145 * v * v);
  }
  if (KIND == 3u) {
    return select(vec4<f32>(1.0), vec4<f32>(0.0), v <= vec4<f32>(0.0));
  }
  let s = 1.0 / (1.0 + exp(-1.702 * v));
  return s * (1.0 + 1.702 * v * (1.0 - s));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= (u.count + 3u) / 4u) {
    return;
  }
  if (BACKWARD) {
    var d = g[i] * slope(x[i]);
    if (u.accumulate != 0u) {
      d += out[i];
    }
    // What lies behind a gradient is a gap of zeros.
    out[i] = select(vec4<f32>(0.0), d, vec4(4u * i, 4u * i + 1u, 4u * i + 2u, 4u * i + 3u) < vec4(u.count));
  } else {
    out[i] = value(x[i]);
  }
}
