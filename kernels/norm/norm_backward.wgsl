// dx (+)= (w g - mean(w g) - n mean(w g n)) / deviation, n the normalized row; without CENTER the first mean is left out.
struct Uniforms {
  rows: u32,
  columns: u32,
  accumulate: u32,
}

#use value
#use width

#use total

override LANES = 1u;
override CENTER = false;

@group(0) @binding(0) var<storage, read> g: array<Value>;
@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read> weight: array<Value>;
@group(0) @binding(3) var<storage, read> statistics: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<Value>;
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
  let s = statistics[row];
  var sum = Value(0.0);
  var sum_n = Value(0.0);
  for (var c = within; c < columns; c += LANES) {
    let wg = weight[c] * g[first + c];
    sum += wg;
    sum_n += wg * (x[first + c] - s.x);
  }
  var mean = 0.0;
  if (CENTER) {
    mean = row_sum(lane, total(sum)) / f32(u.columns);
  }
  let share = s.y * s.y * row_sum(lane, total(sum_n)) / f32(u.columns);
  if (place >= u.rows) {
    return;
  }
  for (var c = within; c < columns; c += LANES) {
    let at = first + c;
    var d = (weight[c] * g[at] - mean - (x[at] - s.x) * share) * s.y;
    if (u.accumulate != 0u) {
      d += out[at];
    }
    out[at] = d;
  }
}
