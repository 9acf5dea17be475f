// out[r] (+)= sum of x[sources[j]] for offsets[r] <= j < offsets[r + 1]: an embedding, its gradient, rows that move.
struct Uniforms {
  rows: u32,
  // Values in a row.
  columns: u32,
  accumulate: u32,
}

#use value

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> sources: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<Value>;
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
  let column = i % u.columns;
  var sum = Value(0.0);
  if (u.accumulate != 0u) {
    sum = out[i];
  }
  let end = offsets[row + 1u];
  for (var j = offsets[row]; j < end; j++) {
    sum += x[sources[j] * u.columns + column];
  }
  out[i] = sum;
}
