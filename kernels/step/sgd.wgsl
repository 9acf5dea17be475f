// p = keep p - rate g, four elements a lane.
struct Uniforms {
  count: u32,
  keep: f32,
  rate: f32,
}

@group(0) @binding(0) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> p: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> u: Uniforms;

fn each(i: u32) {
  p[i] = u.keep * p[i] - u.rate * g[i];
}

#use main_for_each vectors
