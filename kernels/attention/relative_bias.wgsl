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
  // A workgroup has one row of scores: divisions for each of them would take longer than the rest.
  let row = group.x + group.y * groups.x;
  if (row >= u.heads * u.queries) {
    return;
  }
  let head = row / u.queries;
  let first = u.queries - 1u - row % u.queries;
  for (var k = lane; k < u.keys; k += 64u) {
    out[row * u.keys + k] = values[(k + first) * u.heads + head];
  }
}
