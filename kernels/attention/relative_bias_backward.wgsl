// out[k - q + queries - 1, h] (+)= sum of g[h, q, k] along a diagonal. Neighbouring lanes have neighbouring diagonals, so they read neighbours.
struct Uniforms {
  heads: u32,
  queries: u32,
  keys: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  let distances = u.queries + u.keys - 1u;
  if (i >= u.heads * distances) {
    return;
  }
  let distance = i % distances;
  let head = i / distances;
  // k = distance + q - (queries - 1) lies in [0, keys).
  let first = u.queries - 1u - min(distance, u.queries - 1u);
  let end = min(u.queries, u.queries + u.keys - 1u - distance);
  var sum = 0.0;
  for (var q = first; q < end; q++) {
    sum += g[(head * u.queries + q) * u.keys + (distance + q + 1u - u.queries)];
  }
  let to = distance * u.heads + head;
  if (u.accumulate != 0u) {
    sum += out[to];
  }
  out[to] = sum;
}
