// scaled = diag(e) Q of every layer: row i of Q times e_i. With ACCUMULATE it is added.
struct Uniforms {
  rank: u32,
  // The layer of the first line of workgroups.
  first: u32,
}

override ACCUMULATE = false;

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> e: array<f32>;
@group(0) @binding(3) var<storage, read_write> scaled: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let layer = layers[u.first + group.y];
  // A line of groups that is too long goes on along z.
  let i = (group.x + group.z * groups.x) * 64u + lane;
  if (i >= u.rank * layer.columns) {
    return;
  }
  let value = e[layer.e + i / layer.columns] * q[layer.q + i];
  if (ACCUMULATE) {
    scaled[layer.q + i] += value;
  } else {
    scaled[layer.q + i] = value;
  }
}
