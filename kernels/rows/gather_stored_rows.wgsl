// out[r] = sum of x[sources[j]] for offsets[r] <= j < offsets[r + 1], of rows that are kept in low precision.
struct Uniforms {
  rows: u32,
  columns: u32,
  // Numbers of x in all.
  count: u32,
}

#use stored

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> sources: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

#use read

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  let quads = (u.columns + 3u) / 4u;
  if (i >= u.rows * quads) {
    return;
  }
  let row = i / quads;
  let column = i % quads * 4u;
  var sum = vec4(0.0);
  let end = offsets[row + 1u];
  for (var j = offsets[row]; j < end; j++) {
    let first = sources[j] * u.columns;
    sum += x_4(first + column, first + u.columns);
  }
  for (var k = 0u; k < 4u && column + k < u.columns; k++) {
    out[row * u.columns + column + k] = sum[k];
  }
}
