// What belongs to pairs a <= b of columns, for some a and all b: of X [rows, r] the products x_a x_b of each row, or with
// SECOND_MOMENTS of each row's symmetric P_j [r, r], which lies in P [r, rows, r] at (a, j, b), the number (a, b), twice where
// a < b. Products of the former's rows with the latter's are parts of x P x^T. Pairs with b < a are 0.
struct Uniforms {
  rank: u32,
  rows: u32,
  // Elements from one row and one column of X to the next.
  row: u32,
  column: u32,
  // The first a, which is the first b too, and how many a.
  first: u32,
  count: u32,
}

override SECOND_MOMENTS = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> pairs: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // A row and an a.
  let line = (group.x + group.y * groups.x) * 64u + lane;
  let row = line / u.count;
  if (row >= u.rows) {
    return;
  }
  let width = u.rank - u.first;
  let own = line % u.count;
  let a = u.first + own;
  let at = row * u.row;
  var factor = 1.0;
  if (!SECOND_MOMENTS) {
    factor = x[at + a * u.column];
  }
  for (var i = 0u; i < width; i++) {
    let b = u.first + i;
    var value = 0.0;
    if (SECOND_MOMENTS) {
      value = select(2.0, 1.0, b == a) * x[(a * u.rows + row) * u.rank + b];
    } else {
      value = factor * x[at + b * u.column];
    }
    pairs[line * width + i] = select(value, 0.0, b < a);
  }
}
