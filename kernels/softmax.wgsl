// Softmax of each row in place. CAUSAL: row r stands for query r % queries and sees the columns up to that query's place
// when the last query sees all columns; columns beyond are 0.
struct Uniforms {
  rows: u32,
  columns: u32,
  queries: u32,
}

override LANES = 1u;
override CAUSAL = false;

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<uniform> u: Uniforms;

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
  var seen = u.columns;
  if (CAUSAL) {
    seen = u.columns - u.queries + row % u.queries + 1u;
  }
  // The first column is seen by every row.
  var largest = x[first];
  for (var c = within; c < seen; c += LANES) {
    largest = max(largest, x[first + c]);
  }
  largest = row_maximum(lane, largest);
  var sum = 0.0;
  for (var c = within; c < seen; c += LANES) {
    let e = exp(x[first + c] - largest);
    sum += e;
    if (place < u.rows) {
      x[first + c] = e;
    }
  }
  let scale = 1.0 / row_sum(lane, sum);
  if (place >= u.rows) {
    return;
  }
  for (var c = within; c < u.columns; c += LANES) {
    if (c < seen) {
      x[first + c] *= scale;
    } else {
      x[first + c] = 0.0;
    }
  }
}
