// out[h, b, i, r] = sum of g[b, h, i, j] over all keys j whose distance i - j has row r; with of_keys out[h, b, j, r] = the same sum
// over queries i. For the texts of a part. Lanes lie along the table's rows.
struct Uniforms {
  length: u32,
  heads: u32,
  // Rows of the table.
  count: u32,
  // The part's texts, and the first one's place in `g`.
  texts: u32,
  first: u32,
  of_keys: u32,
}

@group(0) @binding(0) var<storage, read> g: array<f32>;
// Distances i - j + length - 1 of row r lie from starts[r] to before starts[r + 1].
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // A workgroup has one query or one key of a head.
  let row = group.x + group.y * groups.x;
  if (row >= u.heads * u.texts * u.length) {
    return;
  }
  let place = row % u.length;
  let text = u.first + row / u.length % u.texts;
  let scores = (text * u.heads + row / u.length / u.texts) * u.length * u.length;
  // Distances to the `length` others, and where the score of the least of them lies: of a query the last key's.
  let least = select(place, u.length - 1u - place, u.of_keys != 0u);
  let from_least = scores + select(place * u.length + u.length - 1u, place, u.of_keys != 0u);
  for (var r = lane; r < u.count; r += 64u) {
    let first = max(starts[r], least);
    let end = min(starts[r + 1u], least + u.length);
    var sum = 0.0;
    for (var distance = first; distance < end; distance++) {
      let step = distance - least;
      sum += g[select(from_least - step, from_least + step * u.length, u.of_keys != 0u)];
    }
    out[row * u.count + r] = sum;
  }
}
