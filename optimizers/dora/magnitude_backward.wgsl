// For y = x magnitude / norm by column: x_gradient (+)= g magnitude / norm, and parts[chunk, c] = sum over the chunk's
// rows of g[r, c] x[r, c] / norm[c]; `sum_parts` adds the chunks up. Both are 0 where the norm is 0.
struct Uniforms {
  rows: u32,
  // Values in a row.
  columns: u32,
  chunk: u32,
  chunks: u32,
  accumulate: u32,
}

#use value

@group(0) @binding(0) var<storage, read> g: array<Value>;
@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read> magnitude: array<Value>;
@group(0) @binding(3) var<storage, read> norms: array<Value>;
@group(0) @binding(4) var<storage, read_write> x_gradient: array<Value>;
@group(0) @binding(5) var<storage, read_write> parts: array<Value>;
@group(0) @binding(6) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.columns * u.chunks) {
    return;
  }
  let column = i % u.columns;
  let none = norms[column] == Value(0.0);
  let divisor = select(norms[column], Value(1.0), none);
  let gain = select(magnitude[column], Value(0.0), none) / divisor;
  let first = (i / u.columns) * u.chunk;
  let end = min(first + u.chunk, u.rows);
  var sum = Value(0.0);
  for (var row = first; row < end; row++) {
    let at = row * u.columns + column;
    let upstream = g[at];
    var gradient = upstream * gain;
    if (u.accumulate != 0u) {
      gradient += x_gradient[at];
    }
    x_gradient[at] = gradient;
    sum += upstream * x[at];
  }
  parts[i] = select(sum, Value(0.0), none) / divisor;
}
