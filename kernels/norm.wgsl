// Row norms: y = (x - mean) / deviation weight (+ bias). Without CENTER the mean is taken as 0 (RMS norm).
struct Uniforms {
  rows: u32,
  columns: u32,
  epsilon: f32,
}

override LANES = 1u;
override CENTER = false;
override BIAS = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
// (mean, 1 / deviation) of each row, for the backward pass.
@group(0) @binding(4) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(5) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

// Sum over the lanes of a row; every lane gets it, in the same order.
fn row_sum(lane: u32, x: f32) -> f32 {
  workgroupBarrier();
  partial[lane] = x;
  workgroupBarrier();
  let first = lane / LANES * LANES;
  var total = 0.0;
  for (var i = 0u; i < LANES; i++) {
    total += partial[first + i];
  }
  return total;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // LANES lanes share a row; rows beyond the end repeat the last one, since every lane must meet every barrier.
  let place = (group.x + group.y * groups.x) * (64u / LANES) + lane / LANES;
  let row = min(place, u.rows - 1u);
  let within = lane % LANES;
  let first = row * u.columns;
  var mean = 0.0;
  if (CENTER) {
    var sum = 0.0;
    for (var c = within; c < u.columns; c += LANES) {
      sum += x[first + c];
    }
    mean = row_sum(lane, sum) / f32(u.columns);
  }
  // Two passes: the difference of squares would lose small deviations around a large mean.
  var squares = 0.0;
  for (var c = within; c < u.columns; c += LANES) {
    let d = x[first + c] - mean;
    squares += d * d;
  }
  let scale = inverseSqrt(row_sum(lane, squares) / f32(u.columns) + u.epsilon);
  if (place >= u.rows) {
    return;
  }
  for (var c = within; c < u.columns; c += LANES) {
    var y = (x[first + c] - mean) * scale * weight[c];
    if (BIAS) {
      y += bias[c];
    }
    out[first + c] = y;
  }
  if (within == 0u) {
    statistics[row] = vec2(mean, scale);
  }
}
