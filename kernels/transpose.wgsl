// The transpose of a matrix whose rows and columns are whole vectors of four. A lane turns a tile of 4 x 4.
struct Uniforms {
  // In vectors of four.
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  let row = i / u.columns;
  let column = i % u.columns;
  if (row >= u.rows) {
    return;
  }
  let from_ = 4u * row * u.columns + column;
  let tile = transpose(mat4x4<f32>(
    x[from_],
    x[from_ + u.columns],
    x[from_ + 2u * u.columns],
    x[from_ + 3u * u.columns],
  ));
  let to = 4u * column * u.rows + row;
  out[to] = tile[0];
  out[to + u.rows] = tile[1];
  out[to + 2u * u.rows] = tile[2];
  out[to + 3u * u.rows] = tile[3];
}
