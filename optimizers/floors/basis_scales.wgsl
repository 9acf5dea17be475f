// out[k] (+)= the sum over columns c of g[k, c] basis[k mod rank, c] gains[k / rank, c]: the gradient of the scales of scale_basis.wgsl.
// LANES lanes share a row.
struct Uniforms {
  rows: u32,
  columns: u32,
  rank: u32,
  stride: u32,
  accumulate: u32,
}

override LANES = 1u;
override GAINS = false;

@group(0) @binding(0) var<storage, read> basis: array<f32>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> gains: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

#use row_sum f32

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  #use row_of_lane
  let first = row % u.rank * u.stride;
  var sum = 0.0;
  for (var c = within; c < u.columns; c += LANES) {
    var value = g[row * u.columns + c] * basis[first + c];
    if (GAINS) {
      value *= gains[row / u.rank * u.columns + c];
    }
    sum += value;
  }
  var total = row_sum(lane, sum);
  if (place >= u.rows || within != 0u) {
    return;
  }
  if (u.accumulate != 0u) {
    total += out[row];
  }
  out[row] = total;
}
