// losses[r] = log(sum(exp(x[r]))) - x[r, target], 0 where the target is negative; `normalizers` keeps
// the largest logit and the logarithm of the sum relative to it: their sum would lose digits where logits are large.
struct Uniforms {
  rows: u32,
  columns: u32,
}

#use value
#use width

#use total
#use maximum
#use element

override LANES = 1u;

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> normalizers: array<vec2<f32>>;
@group(0) @binding(4) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

#use row_maximum
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
  var tops = x[first];
  for (var c = within; c < columns; c += LANES) {
    tops = max(tops, x[first + c]);
  }
  let largest = row_maximum(lane, maximum(tops));
  var sums = Value(0.0);
  for (var c = within; c < columns; c += LANES) {
    sums += exp(x[first + c] - largest);
  }
  let rest = log(row_sum(lane, total(sums)));
  if (place >= u.rows || within != 0u) {
    return;
  }
  let wanted = targets[row];
  normalizers[row] = vec2(largest, rest);
  losses[row] = 0.0;
  if (wanted >= 0) {
    // In this order a small loss keeps its digits: adding the largest first would round them away.
    losses[row] = (largest - element(x[first + u32(wanted) / WIDTH], u32(wanted) % WIDTH)) + rest;
  }
}
