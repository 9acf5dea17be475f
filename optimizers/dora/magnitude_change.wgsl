// out_o = magnitude / norm (D_o - (V_o . D_o) V_o / norm^2) + magnitude_change / norm V_o: how rows magnitude V / |V| move,
// to first order, where V moves by D. 0 where the norm is 0. LANES lanes share a row.
struct Uniforms {
  rows: u32,
  columns: u32,
}

override LANES = 1u;

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> change: array<f32>;
@group(0) @binding(2) var<storage, read> magnitude: array<f32>;
@group(0) @binding(3) var<storage, read> magnitude_change: array<f32>;
@group(0) @binding(4) var<storage, read> norms: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

#use row_sum f32

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  #use row_of_lane
  let first = row * u.columns;
  var along = 0.0;
  for (var c = within; c < u.columns; c += LANES) {
    along += weight[first + c] * change[first + c];
  }
  along = row_sum(lane, along);
  if (place >= u.rows) {
    return;
  }
  let none = norms[row] == 0.0;
  let inverse = select(1.0, 0.0, none) / select(norms[row], 1.0, none);
  let gain = magnitude[row] * inverse;
  let of_weight = (magnitude_change[row] - gain * along * inverse) * inverse;
  for (var c = within; c < u.columns; c += LANES) {
    out[first + c] = gain * change[first + c] + of_weight * weight[first + c];
  }
}
