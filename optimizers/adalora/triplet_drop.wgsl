// Keeps the `budget` triplets of all layers with the highest scores: e = 0 and dropped = 1 for the others. Of equal scores
// the first are kept. A lane finds a triplet's place by counting those ahead of it.
struct Uniforms {
  // Triplets of all layers.
  count: u32,
  rank: u32,
  budget: u32,
}

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
// Scores are 0 or more, or not a number, so their bits are in their order.
@group(0) @binding(1) var<storage, read> scores: array<u32>;
@group(0) @binding(2) var<storage, read_write> e: array<f32>;
@group(0) @binding(3) var<storage, read_write> dropped: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

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
  let own = scores[i];
  var ahead = 0u;
  for (var j = 0u; j < u.count; j++) {
    let other = scores[j];
    ahead += select(0u, 1u, other > own || (other == own && j < i));
  }
  let at = layers[i / u.rank].e + i % u.rank;
  if (ahead < u.budget) {
    dropped[at] = 0.0;
  } else {
    dropped[at] = 1.0;
    e[at] = 0.0;
  }
}
