// x *= limit / norm where norm = sqrt(squared[0]) is above the limit.
struct Uniforms {
  count: u32,
  limit: f32,
}

@group(0) @binding(0) var<storage, read> squared: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> u: Uniforms;

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
  let norm = sqrt(squared[0]);
  if (norm > u.limit) {
    x[i] *= u.limit / norm;
  }
}
