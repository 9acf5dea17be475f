// Q^T Q of many tall matrices whose rows are whole vectors, zeros behind the rank. A lane has a tile of 8 x 8 and sums a
// part of the rows for it: `parts` lanes share a tile, and tiles share a workgroup. Of the result, which is symmetric, the
// tiles below the diagonal are not written. Workgroup memory is 16 vectors a lane.
struct Uniforms {
  // Vectors of a row.
  blocks: u32,
  parts: u32,
  // 1 where `factor` says of some matrices that they need no further round.
  may_skip: u32,
}

#use matrix

override LANES = 64u;

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
// Of each matrix 4 blocks rows of as many vectors.
@group(0) @binding(2) var<storage, read_write> gram: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> factor: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> u: Uniforms;

var<workgroup> partial: array<vec4<f32>, LANES * 16u>;

#use outer

#use is_done

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = matrices[group.y];
  let skips = u.may_skip == 1u && is_done(group.y * 4u * u.blocks * u.blocks, u.blocks);
  let panels = (u.blocks + 1u) / 2u;
  // Tiles on and above the diagonal, panel of columns by panel of columns: the one of column j begins at j (j + 1) / 2.
  let tile = group.x * (LANES / u.parts) + lane / u.parts;
  var j = 0u;
  var begin = 0u;
  while (begin + j < tile) {
    begin += j + 1u;
    j += 1u;
  }
  let i = tile - begin;
  // Of an odd number of vectors the last panel has one, which stands for both.
  let i0 = 2u * i;
  let i1 = min(i0 + 1u, u.blocks - 1u);
  let j0 = 2u * j;
  let j1 = min(j0 + 1u, u.blocks - 1u);
  var near0 = mat4x4<f32>();
  var near1 = mat4x4<f32>();
  var far0 = mat4x4<f32>();
  var far1 = mat4x4<f32>();
  if (j < panels && !skips) {
    for (var t = lane % u.parts; t < matrix.rows; t += u.parts) {
      let row = matrix.q_at + t * u.blocks;
      let left0 = q[row + i0];
      let left1 = q[row + i1];
      let right0 = q[row + j0];
      let right1 = q[row + j1];
      near0 += outer(left0, right0);
      near1 += outer(left1, right0);
      far0 += outer(left0, right1);
      far1 += outer(left1, right1);
    }
  }
  workgroupBarrier();
  partial[16u * lane] = near0[0];
  partial[16u * lane + 1u] = far0[0];
  partial[16u * lane + 2u] = near0[1];
  partial[16u * lane + 3u] = far0[1];
  partial[16u * lane + 4u] = near0[2];
  partial[16u * lane + 5u] = far0[2];
  partial[16u * lane + 6u] = near0[3];
  partial[16u * lane + 7u] = far0[3];
  partial[16u * lane + 8u] = near1[0];
  partial[16u * lane + 9u] = far1[0];
  partial[16u * lane + 10u] = near1[1];
  partial[16u * lane + 11u] = far1[1];
  partial[16u * lane + 12u] = near1[2];
  partial[16u * lane + 13u] = far1[2];
  partial[16u * lane + 14u] = near1[3];
  partial[16u * lane + 15u] = far1[3];
  workgroupBarrier();
  let first = lane / u.parts * u.parts;
  for (var line = lane % u.parts; line < 16u; line += u.parts) {
    let row = 4u * i0 + line / 2u;
    let b = j0 + line % 2u;
    if (j < panels && !skips && row < 4u * u.blocks && b < u.blocks) {
      var sum = vec4<f32>(0.0);
      for (var part = 0u; part < u.parts; part++) {
        sum += partial[16u * (first + part) + line];
      }
      gram[(group.y * 4u * u.blocks + row) * u.blocks + b] = sum;
    }
  }
}
