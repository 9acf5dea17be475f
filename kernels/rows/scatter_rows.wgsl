// into[places[r]] = x[r]; with ROTARY the heads of row r are rotated by the angles of positions[r].
struct Uniforms {
  rows: u32,
  columns: u32,
  // Width of a head.
  size: u32,
}

override ROTARY = false;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> angles: array<f32>;
@group(0) @binding(4) var<storage, read_write> into: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // A lane takes the elements of one pair of every head: positions and angles are read once for all heads.
  let pairs = (u.size + 1u) / 2u;
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.rows * pairs) {
    return;
  }
  let row = i / pairs;
  let pair = i % pairs;
  var cosine = 1.0;
  var sine = 0.0;
  if (ROTARY) {
    let at = 2u * (positions[row] * pairs + pair);
    cosine = angles[at];
    sine = angles[at + 1u];
  }
  let start = row * u.columns + pair;
  let place = places[row] * u.columns + pair;
  for (var head = 0u; head < u.columns; head += u.size) {
    let first = x[start + head];
    // The last element of an odd row has no partner.
    if (pair + pairs >= u.size) {
      into[place + head] = first;
      continue;
    }
    let second = x[start + head + pairs];
    if (ROTARY) {
      into[place + head] = first * cosine - second * sine;
      into[place + head + pairs] = second * cosine + first * sine;
    } else {
      into[place + head] = first;
      into[place + head + pairs] = second;
    }
  }
}
