// Sets each of many tall matrices to 0 whose root mean square is above `limit`, one workgroup each. One whose squares add up
// to no finite number stays as it is: a run that diverged must not look like one that skips.
struct Uniforms {
  rank: u32,
  limit: f32,
}

#use matrix

override LANES = 64u;

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, LANES>;

#use sum_of_lanes f32 LANES
#use is_finite

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = matrices[group.x];
  let count = matrix.rows * u.rank;
  var squares = 0.0;
  for (var e = lane; e < count; e += LANES) {
    let value = x[matrix.offset + e % matrix.rows * matrix.row_stride + e / matrix.rows * matrix.column_stride];
    squares += value * value;
  }
  #use put squares
  workgroupBarrier();
  let sum = sum_of_lanes();
  if (!is_finite(sum) || sum <= u.limit * u.limit * f32(count)) {
    return;
  }
  for (var e = lane; e < count; e += LANES) {
    x[matrix.offset + e % matrix.rows * matrix.row_stride + e / matrix.rows * matrix.column_stride] = 0.0;
  }
}
