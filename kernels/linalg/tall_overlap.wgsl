// X^T Y of many pairs of tall matrices [rows, r], one workgroup each. A lane sums a part of the rows for a tile of 4 x 4; as
// many lanes share a tile as there are lanes for all of them. Workgroup memory is 4 vectors a lane.
struct Uniforms {
  rank: u32,
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

var<workgroup> partial: array<vec4<f32>, LANES * 4u>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = matrices[group.x];
  let blocks = (u.rank + 3u) / 4u;
  let base = group.x * u.rank * blocks;
  let tiles = blocks * blocks;
  let parts = max(LANES / tiles, 1u);
  let at_once = min(LANES / parts, tiles);
  for (var first = 0u; first < tiles; first += at_once) {
    let tile = first + lane / parts;
    var sums = mat4x4<f32>();
    if (lane < at_once * parts && tile < tiles) {
      let i0 = tile / blocks * 4u;
      let j0 = tile % blocks * 4u;
      for (var t = lane % parts; t < matrix.rows; t += parts) {
        let row = matrix.offset + t * matrix.row_stride;
        var left = vec4<f32>(0.0);
        var right = vec4<f32>(0.0);
        for (var j = 0u; j < 4u; j++) {
          if (i0 + j < u.rank) {
            left[j] = x[row + (i0 + j) * matrix.column_stride];
          }
          if (j0 + j < u.rank) {
            right[j] = y[row + (j0 + j) * matrix.column_stride];
          }
        }
        sums += mat4x4<f32>(left.x * right, left.y * right, left.z * right, left.w * right);
      }
    }
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      partial[4u * lane + i] = sums[i];
    }
    workgroupBarrier();
    for (var line = lane; line < 4u * at_once; line += LANES) {
      let of_tile = first + line / 4u;
      let i = of_tile / blocks * 4u + line % 4u;
      if (of_tile < tiles && i < u.rank) {
        var sum = vec4<f32>(0.0);
        for (var part = 0u; part < parts; part++) {
          sum += partial[4u * (line / 4u * parts + part) + line % 4u];
        }
        out[base + i * blocks + of_tile % blocks] = sum;
      }
    }
  }
}
