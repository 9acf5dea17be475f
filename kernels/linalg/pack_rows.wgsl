// Many tall matrices X [rows, r] as rows of whole vectors, zeros behind the rank. A lane copies a row: for one vector a lane a
// software adapter would divide longer than it copies.
struct Uniforms {
  rank: u32,
}

#use matrix

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let matrix = matrices[group.y];
  // y counts layers; a line of groups that is too long goes on along z.
  let t = (group.x + group.z * groups.x) * 64u + lane;
  if (t >= matrix.rows) {
    return;
  }
  let blocks = (u.rank + 3u) / 4u;
  let row = matrix.offset + t * matrix.row_stride;
  for (var b = 0u; b < blocks; b++) {
    let columns = 4u * b + vec4(0u, 1u, 2u, 3u);
    let at = row + min(columns, vec4(u.rank - 1u)) * matrix.column_stride;
    let values = vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
    q[matrix.q_at + t * blocks + b] = select(vec4<f32>(0.0), values, columns < vec4(u.rank));
  }
}
