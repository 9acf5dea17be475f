// Index of the largest element of each row; the first of equal ones.
struct Uniforms {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<i32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.rows) {
    return;
  }
  var best = 0u;
  var largest = x[i * u.columns];
  for (var c = 1u; c < u.columns; c++) {
    let value = x[i * u.columns + c];
    if (value > largest) {
      largest = value;
      best = c;
    }
  }
  out[i] = i32(best);
}
