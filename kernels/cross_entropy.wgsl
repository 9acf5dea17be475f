// losses[r] = log(sum(exp(x[r]))) - x[r, target], 0 where the target is negative; `normalizers` keeps
// the largest logit and the logarithm of the sum relative to it: their sum would lose digits where logits are large.
struct Uniforms {
  rows: u32,
  columns: u32,
}

override LANES = 1u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> normalizers: array<vec2<f32>>;
@group(0) @binding(4) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

fn row_maximum(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  let first = lane / LANES * LANES;
  var largest = partial[first];
  for (var i = 1u; i < LANES; i++) {
    largest = max(largest, partial[first + i]);
  }
  return largest;
}

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
  var largest = x[first];
  for (var c = within; c < u.columns; c += LANES) {
    largest = max(largest, x[first + c]);
  }
  largest = row_maximum(lane, largest);
  var sum = 0.0;
  for (var c = within; c < u.columns; c += LANES) {
    sum += exp(x[first + c] - largest);
  }
  let rest = log(row_sum(lane, sum));
  if (place >= u.rows || within != 0u) {
    return;
  }
  let wanted = targets[row];
  normalizers[row] = vec2(largest, rest);
  losses[row] = 0.0;
  if (wanted >= 0) {
    // In this order a small loss keeps its digits: adding the largest first would round them away.
    losses[row] = (largest - x[first + u32(wanted)]) + rest;
  }
}
