// y += x S^T for a sparse S whose entries are listed line by line: for line l of S, y[t, l] gains the sum over its entries of value
// times x[t, other]. A lane has four rows t of one line. With INDIRECT lines are S's columns, and its values lie elsewhere.
struct Uniforms {
  rows: u32,
  lines: u32,
  // Numbers in a row of x.
  width: u32,
  // In `table`: where each line's entries begin, their others, and with INDIRECT where their values lie.
  starts_at: u32,
  others_at: u32,
  values_at: u32,
}

override INDIRECT = false;

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = (group.x + group.y * groups.x) * 64u + lane;
  let line = e % u.lines;
  let row0 = e / u.lines * 4u;
  if (row0 >= u.rows) {
    return;
  }
  // Rows behind the last one repeat it, and are not stored.
  let rows = min(vec4(row0) + vec4(0u, 1u, 2u, 3u), vec4(u.rows - 1u)) * u.width;
  let end = table[u.starts_at + line + 1u];
  var sum = vec4<f32>(0.0);
  for (var p = table[u.starts_at + line]; p < end; p++) {
    var place = p;
    if (INDIRECT) {
      place = table[u.values_at + p];
    }
    let at = rows + table[u.others_at + p];
    sum += values[place] * vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
  }
  for (var i = 0u; i < min(u.rows - row0, 4u); i++) {
    y[(row0 + i) * u.lines + line] += sum[i];
  }
}
