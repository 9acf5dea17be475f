// out (+)= a b, four elements a lane.
struct Uniforms {
  count: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

fn each(i: u32) {
  var product = a[i] * b[i];
  if (u.accumulate != 0u) {
    product += out[i];
  }
  out[i] = product;
}

#use main_for_each vectors
