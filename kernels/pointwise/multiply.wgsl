// out (+)= a b, four elements a lane, with b repeated after `period` vectors: a row times every row, or elements by elements.
struct Uniforms {
  count: u32,
  period: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.count) {
    return;
  }
  var product = a[i] * b[i % u.period];
  if (u.accumulate != 0u) {
    product += out[i];
  }
  out[i] = product;
}
