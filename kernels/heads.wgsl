// Between rows of a sequence, [batch * length, heads * size], and heads, [batch * heads, length, size].
// With ROTARY each pair (i, i + size / 2) of a head is turned by its angle times `direction` (1, or -1 to undo it).
struct Uniforms {
  // Vectors of one head at one position.
  vectors: u32,
  length: u32,
  heads: u32,
  size: u32,
  direction: f32,
  accumulate: u32,
}

override MERGE = false;
override ROTARY = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
// (cosine, sine) by position and pair: [length, size / 2].
@group(0) @binding(1) var<storage, read> angles: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  // A lane takes up to four neighbours of one head's row, so that the divisions below are shared.
  let fours = (u.size + 3u) / 4u;
  if (i >= u.vectors * fours) {
    return;
  }
  let d0 = i % fours * 4u;
  let vector = i / fours;
  let t = vector % u.length;
  let h = vector / u.length % u.heads;
  let b = vector / (u.length * u.heads);
  // Where the vector starts among the heads and among the rows.
  let by_heads = vector * u.size;
  let by_rows = ((b * u.length + t) * u.heads + h) * u.size;
  let source = select(by_rows, by_heads, MERGE);
  let place = select(by_heads, by_rows, MERGE);
  let half = u.size / 2u;
  for (var d = d0; d < min(d0 + 4u, u.size); d++) {
    var v = x[source + d];
    if (ROTARY) {
      let first = d < half;
      let pair = select(d - half, d, first);
      let angle = angles[t * half + pair];
      let partner = x[source + select(pair, pair + half, first)];
      v = v * angle.x + select(partner, -partner, first) * angle.y * u.direction;
    }
    if (u.accumulate != 0u) {
      v += out[place + d];
    }
    out[place + d] = v;
  }
}
