// out = keep out + c X K, or with TWO + d Y L too, for many tall matrices: X and Y [rows, r], K and L [r, r]. A lane forms
// four rows times eight columns, so that what it loads serves many products.
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
  // Always 0, which the compiler does not know: a loop whose end depends on it is not unrolled, and sooner compiled.
  zero: u32,
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

// Four rows of sums each: of the first four columns and of the next four.
struct Tile {
  near: mat4x4<f32>,
  far: mat4x4<f32>,
}

#use tile_of x k

#use tile_of y l

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
  let row_tiles = (to.rows + 3u) / 4u;
  let t0 = e % row_tiles * 4u;
  let b = e / row_tiles * 2u;
  if (b >= blocks) {
    return;
  }
  // Rows behind the last one repeat it, and are not stored.
  let rows = min(vec4(t0) + vec4(0u, 1u, 2u, 3u), vec4(to.rows - 1u));
  var tile = tile_of_x(x_matrices[group.y], rows, u.k_at + group.y * u.k_block + b, b + 1u < blocks);
  tile.near *= u.c;
  tile.far *= u.c;
  if (TWO) {
    let more = tile_of_y(y_matrices[group.y], rows, u.l_at + group.y * u.l_block + b, b + 1u < blocks);
    tile.near += u.d * more.near;
    tile.far += u.d * more.far;
  }
  var sums = array<mat4x4<f32>, 2>(tile.near, tile.far);
  for (var i = 0u; i < min(to.rows - t0, 4u) + u.zero; i++) {
    for (var j = 0u; j < min(u.rank - 4u * b, 8u) + u.zero; j++) {
      let place = to.offset + (t0 + i) * to.row_stride + (4u * b + j) * to.column_stride;
      let sum = sums[j / 4u][i][j % 4u];
      if (KEEP) {
        out[place] = u.keep * out[place] + sum;
      } else {
        out[place] = sum;
      }
    }
  }
}
