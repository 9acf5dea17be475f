// out = scale_a a + scale_b b, four elements a lane.
struct Uniforms {
  count: u32,
  scale_a: f32,
  scale_b: f32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

fn each(i: u32) {
  out[i] = u.scale_a * a[i] + u.scale_b * b[i];
}

#use main_for_each vectors
