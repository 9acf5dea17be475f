// Between rows of a sequence, [batch * length, heads * size], and heads, [batch * heads, length, size].
// With ROTARY each pair (i, i + size / 2) of a head is turned by its angle times `direction` (1, or -1 to undo it).
struct Uniforms {
  count: u32,
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
  if (i >= u.count) {
    return;
  }
  // Place of element i among the heads, and where the same element lies among the rows.
  let d = i % u.size;
  let t = (i / u.size) % u.length;
  let h = (i / (u.size * u.length)) % u.heads;
  let b = i / (u.size * u.length * u.heads);
  let row = ((b * u.length + t) * u.heads + h) * u.size + d;
  let source = select(row, i, MERGE);
  var v = x[source];
  if (ROTARY) {
    let half = u.size / 2u;
    let first = d < half;
    let angle = angles[t * half + d % half];
    let partner = x[select(source - half, source + half, first)];
    v = v * angle.x + select(partner, -partner, first) * angle.y * u.direction;
  }
  let target_ = select(i, row, MERGE);
  if (u.accumulate != 0u) {
    v += out[target_];
  }
  out[target_] = v;
}
