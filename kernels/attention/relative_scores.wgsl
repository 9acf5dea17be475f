// out[b, h, i, j] = of_queries[h, b, i, r] + of_keys[h, b, j, r] with r = rows[i - j + length - 1], for the texts of a part.
struct Uniforms {
  length: u32,
  heads: u32,
  // Rows of the table.
  count: u32,
  // The part's texts, and the first one's place in `out`.
  texts: u32,
  first: u32,
}

@group(0) @binding(0) var<storage, read> of_queries: array<f32>;
@group(0) @binding(1) var<storage, read> of_keys: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // A workgroup has one row of scores.
  let row = group.x + group.y * groups.x;
  if (row >= u.texts * u.heads * u.length) {
    return;
  }
  let i = row % u.length;
  let head = row / u.length % u.heads;
  let text = (head * u.texts + row / u.length / u.heads) * u.length;
  let of_query = (text + i) * u.count;
  let to = (u.first * u.heads * u.length + row) * u.length;
  for (var j = lane; j < u.length; j += 64u) {
    let at = rows[i + u.length - 1u - j];
    out[to + j] = of_queries[of_query + at] + of_keys[(text + j) * u.count + at];
  }
}
