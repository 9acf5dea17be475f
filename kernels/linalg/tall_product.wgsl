// out = keep out + c X K, or with TWO + d Y L too, for many tall matrices: X and Y [rows, r], K and L [r, r]. A lane forms
// four neighbouring elements of one row.
struct Uniforms {
  rank: u32,
  // In vectors: where K and L begin, and from one layer's to the next one's.
  k_at: u32,
  k_block: u32,
  l_at: u32,
  l_block: u32,
  keep: f32,
  c: f32,
  d: f32,
}

#use matrix

override TWO = false;
// keep is not 0: out is read.
override KEEP = false;

@group(0) @binding(0) var<storage, read> out_matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read> x_matrices: array<Matrix>;
@group(0) @binding(2) var<storage, read> y_matrices: array<Matrix>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> y: array<f32>;
// Rows are whole vectors with zeros at the end.
@group(0) @binding(5) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> l: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;
@group(0) @binding(8) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let to = out_matrices[group.y];
  // y counts layers; a line of groups that is too long goes on along z.
  let e = (group.x + group.z * groups.x) * 64u + lane;
  let blocks = (u.rank + 3u) / 4u;
  let t = e % to.rows;
  let b = e / to.rows;
  if (b >= blocks) {
    return;
  }
  var sum = vec4<f32>(0.0);
  let from_ = x_matrices[group.y];
  var at = from_.offset + t * from_.row_stride;
  var row = u.k_at + group.y * u.k_block + b;
  for (var i = 0u; i < u.rank; i++) {
    sum += x[at] * k[row];
    at += from_.column_stride;
    row += blocks;
  }
  sum *= u.c;
  if (TWO) {
    var more = vec4<f32>(0.0);
    let other = y_matrices[group.y];
    at = other.offset + t * other.row_stride;
    row = u.l_at + group.y * u.l_block + b;
    for (var i = 0u; i < u.rank; i++) {
      more += y[at] * l[row];
      at += other.column_stride;
      row += blocks;
    }
    sum += u.d * more;
  }
  let inside = min(u.rank - 4u * b, 4u);
  for (var j = 0u; j < inside; j++) {
    let place = to.offset + t * to.row_stride + (4u * b + j) * to.column_stride;
    if (KEEP) {
      out[place] = u.keep * out[place] + sum[j];
    } else {
      out[place] = sum[j];
    }
  }
}
