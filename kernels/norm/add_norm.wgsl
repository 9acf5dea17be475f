// A sum and its row norm in one pass: sum = x + y, out = (sum - mean) / deviation weight (+ bias). See norm.wgsl.
struct Uniforms {
  rows: u32,
  columns: u32,
  epsilon: f32,
}

#use value
#use width

#use total

override LANES = 1u;
override CENTER = false;
override BIAS = false;
// y is what the sum holds before.
override IN_PLACE = false;

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> y: array<Value>;
@group(0) @binding(2) var<storage, read> weight: array<Value>;
@group(0) @binding(3) var<storage, read> bias: array<Value>;
@group(0) @binding(4) var<storage, read_write> sum: array<Value>;
@group(0) @binding(5) var<storage, read_write> out: array<Value>;
// (mean, 1 / deviation) of each row, for the backward pass.
@group(0) @binding(6) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(7) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

#use row_sum f32

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  #use row_of_lane
  let columns = u.columns / WIDTH;
  let first = row * columns;
  var sums = Value(0.0);
  var squares = Value(0.0);
  for (var c = within; c < columns; c += LANES) {
    var value = x[first + c];
    if (IN_PLACE) {
      value += sum[first + c];
    } else {
      value += y[first + c];
    }
    if (place < u.rows) {
      sum[first + c] = value;
    }
    sums += value;
    squares += value * value;
  }
  var mean = 0.0;
  if (CENTER) {
    mean = row_sum(lane, total(sums)) / f32(u.columns);
    // A second pass: the difference of squares would lose small deviations around a large mean.
    squares = Value(0.0);
    for (var c = within; c < columns; c += LANES) {
      let d = sum[first + c] - mean;
      squares += d * d;
    }
  }
  let scale = inverseSqrt(row_sum(lane, total(squares)) / f32(u.columns) + u.epsilon);
  if (place >= u.rows) {
    return;
  }
  for (var c = within; c < columns; c += LANES) {
    var value = (sum[first + c] - mean) * scale * weight[c];
    if (BIAS) {
      value += bias[c];
    }
    out[first + c] = value;
  }
  if (within == 0u) {
    statistics[row] = vec2(mean, scale);
  }
}
