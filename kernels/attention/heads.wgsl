// Rows `[rows, heads size]` as heads `[heads, rows, size]`, or with MERGE the other way about.
struct Uniforms {
  rows: u32,
  heads: u32,
  size: u32,
  // The row of the first, where rows are some of a tensor's.
  first: u32,
  accumulate: u32,
}

override MERGE = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // A workgroup has a row: divisions for each number would take longer than the rest.
  let row = group.x + group.y * groups.x;
  if (row >= u.rows) {
    return;
  }
  for (var head = 0u; head < u.heads; head++) {
    let of_rows = ((u.first + row) * u.heads + head) * u.size;
    let of_heads = (head * u.rows + row) * u.size;
    for (var d = lane; d < u.size; d += 64u) {
      if (MERGE) {
        var before = 0.0;
        if (u.accumulate != 0u) {
          before = out[of_rows + d];
        }
        out[of_rows + d] = before + x[of_heads + d];
      } else {
        out[of_heads + d] = x[of_rows + d];
      }
    }
  }
}
