// out = scale_a a + scale_b b, four elements a lane. With ROW b repeats after `period` vectors: a row added to every row.
struct Uniforms {
  count: u32,
  period: u32,
  scale_a: f32,
  scale_b: f32,
}

override ROW = false;

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
  var place = i;
  if (ROW) {
    place = i % u.period;
  }
  out[i] = u.scale_a * a[i] + u.scale_b * b[place];
}
