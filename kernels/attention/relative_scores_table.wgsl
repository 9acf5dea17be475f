// Gradient of relative scores for a table: out[r, h] (+)= scale sum of g[b, h, i, j] x[b, i, h], of keys x[b, j, h], over all b, i
// and j whose i - j + length - 1 lies from starts[r] to before starts[r + 1]. Lanes lie along a head's width.
struct Uniforms {
  length: u32,
  heads: u32,
  size: u32,
  count: u32,
  scale: f32,
  of_keys: u32,
  accumulate: u32,
  batch: u32,
}

@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
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
  let row = at / u.size / u.heads;
  let length = i32(u.length);
  var sum = 0.0;
  for (var b = 0u; b < u.batch; b++) {
    // Sums of a text by itself: of all texts in a row, roundings would add up.
    var own = 0.0;
    let scores = (b * u.heads + head) * u.length * u.length;
    for (var distance = i32(starts[row]); distance < i32(starts[row + 1u]); distance++) {
      // j = i - (distance - length + 1) lies in [0, length).
      let shift = distance - length + 1;
      for (var i = max(shift, 0); i < min(length, length + shift); i++) {
        let j = i - shift;
        let place = b * u.length + u32(select(i, j, u.of_keys != 0u));
        own += g[scores + u32(i * length + j)] * x[(place * u.heads + head) * u.size + d];
      }
    }
    sum += own;
  }
  var before = 0.0;
  if (u.accumulate != 0u) {
    before = out[at];
  }
  out[at] = before + u.scale * sum;
}
