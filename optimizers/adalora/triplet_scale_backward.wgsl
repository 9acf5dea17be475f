// Adds the gradients of diag(e) Q: dQ += diag(e) g, and de_i += g_i . q_i; one workgroup a row.
struct Uniforms {
  columns: u32,
}

override LANES = 64u;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> e: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> dq: array<f32>;
@group(0) @binding(4) var<storage, read_write> de: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, LANES>;

#use sum_of_lanes f32 LANES

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x * u.columns;
  let factor = e[group.x];
  var sum = 0.0;
  for (var j = lane; j < u.columns; j += LANES) {
    let d = g[row + j];
    dq[row + j] += factor * d;
    sum += d * q[row + j];
  }
  #use put sum
  workgroupBarrier();
  if (lane == 0u) {
    de[group.x] += sum_of_lanes();
  }
}
