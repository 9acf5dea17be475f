// AdamW's direction on W of one layer, from moments in the coordinates of one factor X [lines, r] whose rows x span what the
// other, Z [rows, r], moves: U(i, j) = c1 s x_i m_j / (sqrt(max(c2 s^2 x_i P_j x_i^T, 0)) + epsilon). A lane forms eight i for
// one j.
struct Uniforms {
  rank: u32,
  lines: u32,
  rows: u32,
  // Elements from one row and one column of X, of M and of U to the next.
  x_row: u32,
  x_column: u32,
  m_row: u32,
  m_column: u32,
  out_line: u32,
  out_row: u32,
  // c1 s and c2 s^2.
  first: f32,
  second: f32,
  epsilon: f32,
  // Always 0, which the compiler does not know: a loop whose end depends on it is not unrolled, and sooner compiled.
  zero: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> m: array<f32>;
// P_j at (a, j, b) of [r, rows, r]: symmetric, of which the upper triangle is read.
@group(0) @binding(2) var<storage, read> products: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

fn four_of_x(lines: vec4<u32>, column: u32) -> vec4<f32> {
  let at = lines + column * u.x_column;
  return vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = (group.x + group.y * groups.x) * 64u + lane;
  let j = e % u.rows;
  let i0 = e / u.rows * 8u;
  if (i0 >= u.lines) {
    return;
  }
  // Lines behind the last one repeat it, and are not stored.
  let near = min(vec4(i0) + vec4(0u, 1u, 2u, 3u), vec4(u.lines - 1u)) * u.x_row;
  let far = min(vec4(i0) + vec4(4u, 5u, 6u, 7u), vec4(u.lines - 1u)) * u.x_row;
  var first_near = vec4<f32>(0.0);
  var first_far = vec4<f32>(0.0);
  var second_near = vec4<f32>(0.0);
  var second_far = vec4<f32>(0.0);
  for (var a = 0u; a < u.rank; a++) {
    let x_near = four_of_x(near, a);
    let x_far = four_of_x(far, a);
    let moment = m[j * u.m_row + a * u.m_column];
    first_near += moment * x_near;
    first_far += moment * x_far;
    let at = (a * u.rows + j) * u.rank;
    // x P x^T is the sum of the diagonal's part and of twice what is above it.
    var sum_near = 0.5 * products[at + a] * x_near;
    var sum_far = 0.5 * products[at + a] * x_far;
    for (var b = a + 1u; b < u.rank; b++) {
      let p = products[at + b];
      sum_near += p * four_of_x(near, b);
      sum_far += p * four_of_x(far, b);
    }
    second_near += x_near * sum_near;
    second_far += x_far * sum_far;
  }
  let directions = array<vec4<f32>, 2>(
    u.first * first_near / (sqrt(max(2.0 * u.second * second_near, vec4<f32>(0.0))) + u.epsilon),
    u.first * first_far / (sqrt(max(2.0 * u.second * second_far, vec4<f32>(0.0))) + u.epsilon),
  );
  for (var k = 0u; k < min(u.lines - i0, 8u) + u.zero; k++) {
    out[(i0 + k) * u.out_line + j * u.out_row] = directions[k / 4u][k % 4u];
  }
}
