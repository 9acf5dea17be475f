// y = x R, or with TURNED x R^T, for R = diag of square blocks: x [rows, blocks * size], R [blocks, size, size]. A lane forms four
// rows of four columns of a block.
struct Uniforms {
  rows: u32,
  blocks: u32,
  size: u32,
  accumulate: u32,
}

override TURNED = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> rotations: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = (group.x + group.y * groups.x) * 64u + lane;
  let quads = (u.size + 3u) / 4u;
  let row0 = e / (quads * u.blocks) * 4u;
  if (row0 >= u.rows) {
    return;
  }
  let block = e / quads % u.blocks;
  let column0 = e % quads * 4u;
  let width = u.blocks * u.size;
  // Rows and columns behind the last one repeat it, and are not stored.
  let rows = min(vec4(row0) + vec4(0u, 1u, 2u, 3u), vec4(u.rows - 1u)) * width + block * u.size;
  let columns = min(vec4(column0) + vec4(0u, 1u, 2u, 3u), vec4(u.size - 1u));
  let first = block * u.size * u.size;
  let step = select(u.size, 1u, TURNED);
  var at = first + columns * select(1u, u.size, TURNED);
  var sums = mat4x4<f32>();
  for (var i = 0u; i < u.size; i++) {
    let r = vec4(rotations[at.x], rotations[at.y], rotations[at.z], rotations[at.w]);
    sums += mat4x4<f32>(x[rows.x + i] * r, x[rows.y + i] * r, x[rows.z + i] * r, x[rows.w + i] * r);
    at += vec4(step);
  }
  var lines = array<vec4<f32>, 4>(sums[0], sums[1], sums[2], sums[3]);
  for (var i = 0u; i < min(u.rows - row0, 4u); i++) {
    for (var j = 0u; j < min(u.size - column0, 4u); j++) {
      let place = (row0 + i) * width + block * u.size + column0 + j;
      if (u.accumulate != 0u) {
        y[place] += lines[i][j];
      } else {
        y[place] = lines[i][j];
      }
    }
  }
}
