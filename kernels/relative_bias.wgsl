// out[h, q, k] = values[k - q + queries - 1, h]: one value by distance and head, spread over the scores.
struct Uniforms {
  heads: u32,
  queries: u32,
  keys: u32,
}

@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.heads * u.queries * u.keys) {
    return;
  }
  let k = i % u.keys;
  let row = i / u.keys;
  let q = row % u.queries;
  out[i] = values[(k + u.queries - 1u - q) * u.heads + row / u.queries];
}
