// x *= limit / norm where norm = sqrt(squared[0]) is above the limit.
struct Uniforms {
  count: u32,
  limit: f32,
}

@group(0) @binding(0) var<storage, read> squared: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> u: Uniforms;

fn each(i: u32) {
  let norm = sqrt(squared[0]);
  if (norm > u.limit) {
    x[i] *= u.limit / norm;
  }
}

#use main_for_each vectors
