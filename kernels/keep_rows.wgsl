// into[places[r]] = x[r]; with TURNED the heads of row r are turned by the angles of positions[r].
struct Uniforms {
  rows: u32,
  columns: u32,
  // Width of a head.
  size: u32,
}

override TURNED = false;

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
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.rows * u.columns) {
    return;
  }
  let row = i / u.columns;
  let column = i % u.columns;
  var value = x[i];
  if (TURNED) {
    let element = column % u.size;
    let pairs = u.size / 2u;
    let pair = element % pairs;
    let at = 2u * (positions[row] * pairs + pair);
    let cosine = angles[at];
    let sine = angles[at + 1u];
    if (element < pairs) {
      value = value * cosine - x[i + pairs] * sine;
    } else {
      value = value * cosine + x[i - pairs] * sine;
    }
  }
  into[places[row] * u.columns + column] = value;
}
