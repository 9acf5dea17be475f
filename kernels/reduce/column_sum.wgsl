// out[chunk, c] = sum over the chunk's rows of g[r, c], or with NORMALIZED of g[r, c] (x[r, c] - mean_r) / deviation_r:
// the gradients of a bias and of a norm's weight. `sum_parts` adds the chunks up.
struct Uniforms {
  rows: u32,
  // Values in a row.
  columns: u32,
  chunk: u32,
  chunks: u32,
}

#use value

override NORMALIZED = false;

@group(0) @binding(0) var<storage, read> g: array<Value>;
@group(0) @binding(1) var<storage, read> x: array<Value>;
// (mean, 1 / deviation) of each row of x.
@group(0) @binding(2) var<storage, read> statistics: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<Value>;
@group(0) @binding(4) var<uniform> u: Uniforms;

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
  let first = (i / u.columns) * u.chunk;
  var sum = Value(0.0);
  let end = min(first + u.chunk, u.rows);
  for (var row = first; row < end; row++) {
    let at = row * u.columns + column;
    if (NORMALIZED) {
      let s = statistics[row];
      sum += g[at] * (x[at] - s.x) * s.y;
    } else {
      sum += g[at];
    }
  }
  out[i] = sum;
}
