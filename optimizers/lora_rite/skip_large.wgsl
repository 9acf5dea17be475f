// Sets each of many tall matrices to 0 whose root mean square is above `limit`, one workgroup each. One whose squares add up
// to no finite number stays as it is: a run that diverged must not look like one that skips.
struct Uniforms {
  rank: u32,
  limit: f32,
}

// Where a matrix lies: element (t, j) of X is x[offset + t * row_stride + j * column_stride].
struct Matrix {
  offset: u32,
  rows: u32,
  row_stride: u32,
  column_stride: u32,
  // Of no use here: see thin_svd.wgsl.
  q_at: u32,
}

override LANES = 64u;

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = matrices[group.x];
  let count = matrix.rows * u.rank;
  var squares = 0.0;
  for (var e = lane; e < count; e += LANES) {
    let value = x[matrix.offset + e % matrix.rows * matrix.row_stride + e / matrix.rows * matrix.column_stride];
    squares += value * value;
  }
  partial[lane] = squares;
  workgroupBarrier();
  var sum = 0.0;
  for (var l = 0u; l < LANES; l++) {
    sum += partial[l];
  }
  // By the bits, since software adapters fold comparisons with NaN.
  let is_finite = (bitcast<u32>(sum) & 0x7f800000u) != 0x7f800000u;
  if (!is_finite || sum <= u.limit * u.limit * f32(count)) {
    return;
  }
  for (var e = lane; e < count; e += LANES) {
    x[matrix.offset + e % matrix.rows * matrix.row_stride + e / matrix.rows * matrix.column_stride] = 0.0;
  }
}
