// out = a + scale b: two vectors read and one written, as STREAM's triad does.
struct Uniforms {
  count: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

fn each(i: u32) {
  out[i] = a[i] + u.scale * b[i];
}

#use main_for_each vectors
