// g = p (g - sum(p g)) in each row, in place.
struct Uniforms {
  rows: u32,
  columns: u32,
}

override LANES = 1u;

@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

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
  var sum = 0.0;
  for (var c = within; c < u.columns; c += LANES) {
    sum += p[first + c] * g[first + c];
  }
  sum = row_sum(lane, sum);
  if (place >= u.rows) {
    return;
  }
  for (var c = within; c < u.columns; c += LANES) {
    g[first + c] = p[first + c] * (g[first + c] - sum);
  }
}
