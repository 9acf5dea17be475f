// x += b, where b is one row that repeats.
struct Uniforms {
  rows: u32,
  columns: u32,
}

#use value
#use width

override LANES = 64u;

@group(0) @binding(0) var<storage, read> b: array<Value>;
@group(0) @binding(1) var<storage, read_write> x: array<Value>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  #use row_of_lane
  if (place >= u.rows) {
    return;
  }
  let columns = u.columns / WIDTH;
  for (var c = within; c < columns; c += LANES) {
    x[row * columns + c] += b[c];
  }
}
