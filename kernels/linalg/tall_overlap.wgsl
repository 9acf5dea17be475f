// X^T Y of many pairs of tall matrices [rows, r]. A lane has a tile of 8 x 8 and sums a part of the rows for it: `parts`
// lanes share a tile, and tiles share a workgroup. Workgroup memory is 16 vectors a lane.
struct Uniforms {
  rank: u32,
  parts: u32,
  // Always 0, which the compiler does not know: a loop whose end depends on it is not unrolled, and sooner compiled.
  zero: u32,
}

#use matrix

override LANES = 64u;

// Of X and of Y.
@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
// Rows are whole vectors with zeros at the end.
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> u: Uniforms;

var<workgroup> partial: array<vec4<f32>, LANES * 16u>;

#use four_of x

#use four_of y

#use outer

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = matrices[group.y];
  let blocks = (u.rank + 3u) / 4u;
  let panels = (blocks + 1u) / 2u;
  let tile = group.x * (LANES / u.parts) + lane / u.parts;
  let i0 = tile / panels * 8u;
  let j0 = tile % panels * 8u;
  // Rows of the tile from i0 on and from i0 + 4 on, columns from j0 on (near) and from j0 + 4 on (far).
  var near0 = mat4x4<f32>();
  var near1 = mat4x4<f32>();
  var far0 = mat4x4<f32>();
  var far1 = mat4x4<f32>();
  if (i0 < u.rank) {
    let step = matrix.column_stride;
    for (var t = lane % u.parts; t < matrix.rows; t += u.parts) {
      let row = matrix.offset + t * matrix.row_stride;
      let left0 = four_of_x(row, i0, step);
      let right0 = four_of_y(row, j0, step);
      near0 += outer(left0, right0);
      if (blocks > 1u) {
        let left1 = four_of_x(row, i0 + 4u, step);
        let right1 = four_of_y(row, j0 + 4u, step);
        near1 += outer(left1, right0);
        far0 += outer(left0, right1);
        far1 += outer(left1, right1);
      }
    }
  }
  workgroupBarrier();
  partial[16u * lane + 0u] = near0[0];
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
    let i = i0 + line / 2u;
    let b = j0 / 4u + line % 2u;
    if (i < u.rank && b < blocks) {
      var sum = vec4<f32>(0.0);
      for (var part = 0u; part < u.parts; part++) {
        sum += partial[16u * (first + part) + line];
      }
      out[(group.y * u.rank + i) * blocks + b] = sum;
    }
  }
}
