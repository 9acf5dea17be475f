// out[k, c] (+)= scales[k] basis[k mod rank, c] gains[k / rank, c]: a frozen basis, once or several times below itself, by a trained
// number for each row, and with GAINS by one for each of its columns.
struct Uniforms {
  // Of `out`: all of its rows, and its columns.
  rows: u32,
  columns: u32,
  // Rows of the basis, and from one of them to the next: a basis may be wider than what is taken of it.
  rank: u32,
  stride: u32,
  accumulate: u32,
}

override GAINS = false;

@group(0) @binding(0) var<storage, read> basis: array<f32>;
@group(0) @binding(1) var<storage, read> scales: array<f32>;
@group(0) @binding(2) var<storage, read> gains: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.rows * u.columns) {
    return;
  }
  let row = i / u.columns;
  let column = i - row * u.columns;
  var value = scales[row] * basis[row % u.rank * u.stride + column];
  if (GAINS) {
    value *= gains[row / u.rank * u.columns + column];
  }
  if (u.accumulate != 0u) {
    value += out[i];
  }
  out[i] = value;
}
