// out[r] (+)= sum of x[sources[j]] for offsets[r] <= j < offsets[r + 1]: an embedding, its gradient, rows that move.
struct Uniforms {
  rows: u32,
  columns: u32,
  accumulate: u32,
}

#use value
#use width

override LANES = 64u;

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
  #use row_of_lane
  if (place >= u.rows) {
    return;
  }
  let columns = u.columns / WIDTH;
  let first = offsets[row];
  let end = offsets[row + 1u];
  for (var c = within; c < columns; c += LANES) {
    var sum = Value(0.0);
    if (u.accumulate != 0u) {
      sum = out[row * columns + c];
    }
    for (var j = first; j < end; j++) {
      sum += x[sources[j] * columns + c];
    }
    out[row * columns + c] = sum;
  }
}
