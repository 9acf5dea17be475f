// out = cap tanh(x / cap), or with BACKWARD out (+)= g (1 - tanh(x / cap)^2), four elements a lane.
struct Uniforms {
  count: u32,
  accumulate: u32,
  cap: f32,
}

override BACKWARD = false;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

#use soft_bound

fn each(i: u32) {
  let bent = soft_bound(x[i] / u.cap);
  if (BACKWARD) {
    var d = g[i] * (1.0 - bent * bent);
    if (u.accumulate != 0u) {
      d += out[i];
    }
    // What lies behind a gradient is a gap of zeros.
    out[i] = select(vec4<f32>(0.0), d, vec4(4u * i, 4u * i + 1u, 4u * i + 2u, 4u * i + 3u) < vec4(u.count));
  } else {
    out[i] = u.cap * bent;
  }
}

#use main_for_each elements
