// P <- P + share g^T g for every row g of many tall matrices [rows, r]: P_j [r, r] of row j lies in P [r, rows, r] at (a, j, b).
struct Uniforms {
  rank: u32,
  share: f32,
}

#use matrix

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
// Where each P begins.
@group(0) @binding(1) var<storage, read> product_matrices: array<Matrix>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> products: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let matrix = matrices[group.y];
  // y counts layers; a line of groups that is too long goes on along z.
  let line = (group.x + group.z * groups.x) * 64u + lane;
  if (line >= u.rank * matrix.rows) {
    return;
  }
  let row = matrix.offset + line % matrix.rows * matrix.row_stride;
  let first = u.share * g[row + line / matrix.rows * matrix.column_stride];
  let at = product_matrices[group.y].offset + line * u.rank;
  for (var b = 0u; b < u.rank; b++) {
    products[at + b] += first * g[row + b * matrix.column_stride];
  }
}
