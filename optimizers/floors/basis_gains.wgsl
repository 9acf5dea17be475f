// out[j, c] (+)= the sum over the basis' rows i of g[j rank + i, c] scales[j rank + i] basis[i, c]: the gradient of the gains of
// scale_basis.wgsl.
struct Uniforms {
  // Of `out`.
  rows: u32,
  columns: u32,
  rank: u32,
  stride: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> basis: array<f32>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
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
  let j = i / u.columns;
  let column = i - j * u.columns;
  var sum = 0.0;
  for (var k = 0u; k < u.rank; k++) {
    let row = j * u.rank + k;
    sum += g[row * u.columns + column] * scales[row] * basis[k * u.stride + column];
  }
  if (u.accumulate != 0u) {
    sum += out[i];
  }
  out[i] = sum;
}
