// Gradient of relative scores for queries, out[b, i, h] (+)= scale sum of g[b, h, i, j] kr[r, h] over j, or for keys,
// out[b, j, h] (+)= scale sum of g[b, h, i, j] qr[r, h] over i; r = rows[i - j + length - 1]. Lanes lie along a head's width.
struct Uniforms {
  length: u32,
  heads: u32,
  size: u32,
  count: u32,
  scale: f32,
  of_keys: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (group.x + group.y * groups.x) * 64u + lane;
  if (at >= u.count) {
    return;
  }
  let d = at % u.size;
  let head = at / u.size % u.heads;
  let place = at / u.size / u.heads;
  let own = place % u.length;
  let scores = ((place / u.length) * u.heads + head) * u.length * u.length;
  var sum = 0.0;
  for (var other = 0u; other < u.length; other++) {
    let i = select(own, other, u.of_keys != 0u);
    let j = select(other, own, u.of_keys != 0u);
    let row = rows[i + u.length - 1u - j];
    sum += g[scores + i * u.length + j] * table[(row * u.heads + head) * u.size + d];
  }
  var before = 0.0;
  if (u.accumulate != 0u) {
    before = out[at];
  }
  out[at] = before + u.scale * sum;
}
