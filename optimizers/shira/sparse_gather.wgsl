// The entries of a sparse S from a whole matrix of its size; added to what is there with `accumulate`.
struct Uniforms {
  entries: u32,
  columns: u32,
  // In `table`: the row and the column of each entry.
  rows_at: u32,
  columns_at: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> whole: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = (group.x + group.y * groups.x) * 64u + lane;
  if (e < u.entries) {
    let value = whole[table[u.rows_at + e] * u.columns + table[u.columns_at + e]];
    out[e] = select(0.0, out[e], u.accumulate != 0u) + value;
  }
}
