// Index of the largest element of each row; the first of equal ones.
struct Uniforms {
  rows: u32,
  columns: u32,
}

#use value
#use width

#use element

@group(0) @binding(0) var<storage, read> x: array<Value>;
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
  let columns = u.columns / WIDTH;
  let first = i * columns;
  var best = 0u;
  var largest = element(x[first], 0u);
  for (var c = 0u; c < columns; c++) {
    let values = x[first + c];
    for (var part = 0u; part < WIDTH; part++) {
      let value = element(values, part);
      if (value > largest) {
        largest = value;
        best = c * WIDTH + part;
      }
    }
  }
  out[i] = i32(best);
}
