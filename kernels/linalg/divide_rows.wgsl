// Q R^-1 in the place of Q, for many tall matrices whose rows are whole vectors, and R upper. A lane has four rows and
// divides eight columns at a time, by substitution: with an inverse of R errors would grow with the square of R's condition number.
// Where R has a 0 on its diagonal the column becomes 0.
struct Uniforms {
  // Vectors of a row.
  blocks: u32,
}

#use matrix

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read> factor: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

#use is_done

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let matrix = matrices[group.y];
  let blocks = u.blocks;
  // y counts layers; a line of groups that is too long goes on along z.
  let t0 = ((group.x + group.z * groups.x) * 64u + lane) * 4u;
  let base = group.y * 4u * blocks * blocks;
  if (t0 >= matrix.rows || is_done(base, blocks)) {
    return;
  }
  // Rows behind the last one repeat it: they are written several times, and alike.
  let rows = matrix.q_at + min(vec4(t0) + vec4(0u, 1u, 2u, 3u), vec4(matrix.rows - 1u)) * blocks;
  for (var p = 0u; p < blocks; p += 2u) {
    let has_more = p + 1u < blocks;
    var near = mat4x4<f32>(q[rows.x + p], q[rows.y + p], q[rows.z + p], q[rows.w + p]);
    var far = mat4x4<f32>();
    if (has_more) {
      far = mat4x4<f32>(q[rows.x + p + 1u], q[rows.y + p + 1u], q[rows.z + p + 1u], q[rows.w + p + 1u]);
    }
    for (var k = 0u; k < p; k++) {
      let done = mat4x4<f32>(q[rows.x + k], q[rows.y + k], q[rows.z + k], q[rows.w + k]);
      let at = base + 4u * k * blocks + p;
      near -= lines(at) * done;
      if (has_more) {
        far -= lines(at + 1u) * done;
      }
    }
    let diagonal = base + 4u * p * blocks + p;
    near = divided(near, lines(diagonal));
    q[rows.x + p] = near[0];
    q[rows.y + p] = near[1];
    q[rows.z + p] = near[2];
    q[rows.w + p] = near[3];
    if (has_more) {
      far -= lines(diagonal + 1u) * near;
      far = divided(far, lines(diagonal + 4u * blocks + 1u));
      q[rows.x + p + 1u] = far[0];
      q[rows.y + p + 1u] = far[1];
      q[rows.z + p + 1u] = far[2];
      q[rows.w + p + 1u] = far[3];
    }
  }
}

// Four rows of R, four columns of each, as the columns of a matrix.
fn lines(at: u32) -> mat4x4<f32> {
  return mat4x4<f32>(factor[at], factor[at + u.blocks], factor[at + 2u * u.blocks], factor[at + 3u * u.blocks]);
}

// Four rows, the columns of `rows`, times the inverse of the upper matrix whose rows are the columns of `r`.
fn divided(rows: mat4x4<f32>, r: mat4x4<f32>) -> mat4x4<f32> {
  let by_column = transpose(rows);
  let x = quotient(by_column[0], r[0].x);
  let y = quotient(by_column[1] - r[0].y * x, r[1].y);
  let z = quotient(by_column[2] - r[0].z * x - r[1].z * y, r[2].z);
  let w = quotient(by_column[3] - r[0].w * x - r[1].w * y - r[2].w * z, r[3].w);
  return transpose(mat4x4<f32>(x, y, z, w));
}

fn quotient(values: vec4<f32>, by: f32) -> vec4<f32> {
  return select(vec4<f32>(0.0), values / by, by > 0.0);
}
