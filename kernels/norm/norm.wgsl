// Row norms: y = (x - mean) / deviation weight (+ bias). Without CENTER the mean is taken as 0 (RMS norm).
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

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> weight: array<Value>;
@group(0) @binding(2) var<storage, read> bias: array<Value>;
@group(0) @binding(3) var<storage, read_write> out: array<Value>;
// (mean, 1 / deviation) of each row, for the backward pass.
@group(0) @binding(4) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(5) var<uniform> u: Uniforms;

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
  var mean = 0.0;
  if (CENTER) {
    var sum = Value(0.0);
    for (var c = within; c < columns; c += LANES) {
      sum += x[first + c];
    }
    mean = row_sum(lane, total(sum)) / f32(u.columns);
  }
  // Two passes: the difference of squares would lose small deviations around a large mean.
  var squares = Value(0.0);
  for (var c = within; c < columns; c += LANES) {
    let d = x[first + c] - mean;
    squares += d * d;
  }
  let scale = inverseSqrt(row_sum(lane, total(squares)) / f32(u.columns) + u.epsilon);
  if (place >= u.rows) {
    return;
  }
  for (var c = within; c < columns; c += LANES) {
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
