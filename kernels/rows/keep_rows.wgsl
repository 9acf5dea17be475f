// out[r] = x[r] where row r of `by` has an entry other than 0, and 0 where it has none. A lane takes a whole row: this is for
// what happens a few times before a run.
struct Uniforms {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> by: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.x + group.y * groups.x) * 64u + lane;
  if (row >= u.rows) {
    return;
  }
  let first = row * u.columns;
  // All bits but the signs: a NaN is an entry other than 0, whatever an adapter makes of comparisons with it.
  var bits = 0u;
  for (var c = 0u; c < u.columns; c++) {
    bits |= bitcast<u32>(by[first + c]) & 0x7fffffffu;
  }
  for (var c = 0u; c < u.columns; c++) {
    out[first + c] = select(0.0, x[first + c], bits != 0u);
  }
}
