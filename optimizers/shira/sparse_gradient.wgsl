// dL/dS at the entries of a sparse S: the sum over t of g[t, row] x[t, column]; added to what is there with `accumulate`.
struct Uniforms {
  entries: u32,
  rows: u32,
  // Numbers in a row of g and of x.
  width_g: u32,
  width_x: u32,
  // In `table`: the row and the column of each entry.
  rows_at: u32,
  columns_at: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = (group.x + group.y * groups.x) * 64u + lane;
  if (e >= u.entries) {
    return;
  }
  var g_at = table[u.rows_at + e];
  var x_at = table[u.columns_at + e];
  // Four sums, so that rounding does not grow with the number of rows as fast.
  var sums = vec4<f32>(0.0);
  for (var t = 0u; t < u.rows; t++) {
    sums[t % 4u] += g[g_at] * x[x_at];
    g_at += u.width_g;
    x_at += u.width_x;
  }
  let sum = (sums.x + sums.y) + (sums.z + sums.w);
  out[e] = select(0.0, out[e], u.accumulate != 0u) + sum;
}
