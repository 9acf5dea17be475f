// out[b, h, i, j] = scale (q[b, i, h] . kr[r, h] + k[b, j, h] . qr[r, h]) with r = rows[i - j + length - 1].
struct Uniforms {
  length: u32,
  heads: u32,
  size: u32,
  count: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> qr: array<f32>;
@group(0) @binding(3) var<storage, read> kr: array<f32>;
@group(0) @binding(4) var<storage, read> rows: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // A workgroup has one row of scores.
  let row = group.x + group.y * groups.x;
  if (row >= u.count) {
    return;
  }
  let i = row % u.length;
  let head = row / u.length % u.heads;
  let first = (row / u.length / u.heads) * u.length;
  let of_query = ((first + i) * u.heads + head) * u.size;
  for (var j = lane; j < u.length; j += 64u) {
    let of_key = ((first + j) * u.heads + head) * u.size;
    let of_row = (rows[i + u.length - 1u - j] * u.heads + head) * u.size;
    var sum = 0.0;
    for (var d = 0u; d < u.size; d++) {
      sum += q[of_query + d] * kr[of_row + d] + k[of_key + d] * qr[of_row + d];
    }
    out[row * u.length + j] = u.scale * sum;
  }
}
