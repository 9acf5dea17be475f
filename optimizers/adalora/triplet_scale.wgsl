// scaled = diag(e) Q of every layer: row i of Q times e_i. With ACCUMULATE it is added.
struct Uniforms {
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

// A row of a layer each, since entering a lane costs a software adapter more than a product does.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let layer = layers[u.first + group.y];
  let row = layer.q + group.x * layer.columns;
  let factor = e[layer.e + group.x];
  for (var i = row + lane; i < row + layer.columns; i += 64u) {
    let value = factor * q[i];
    if (ACCUMULATE) {
      scaled[i] += value;
    } else {
      scaled[i] = value;
    }
  }
}
