// Multiplies each channel of a matrix by its number.
struct Uniforms {
  count: u32,
  columns: u32,
  // 1 where channels are rows, 0 where they are columns.
  by_rows: u32,
}

@group(0) @binding(0) var<storage, read> scales: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.count) {
    return;
  }
  let row = i / u.columns;
  g[i] *= scales[select(i - row * u.columns, row, u.by_rows == 1u)];
}
