// Copies three r x r matrices of each layer into the blocks of [2 r, 2 r] with 0 as the fourth, or with OUT the blocks back into them.
struct Uniforms {
  rank: u32,
  // Elements from one row and from one layer of the r x r matrices to the next.
  row: u32,
  block: u32,
}

override OUT = false;

@group(0) @binding(0) var<storage, read_write> upper_left: array<f32>;
@group(0) @binding(1) var<storage, read_write> upper_right: array<f32>;
@group(0) @binding(2) var<storage, read_write> lower_left: array<f32>;
@group(0) @binding(3) var<storage, read_write> whole: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if (e >= u.rank * u.rank) {
    return;
  }
  let small = group.y * u.block + e / u.rank * u.row + e % u.rank;
  let upper = (4u * group.y * u.rank + 2u * (e / u.rank)) * u.rank + e % u.rank;
  let lower = upper + 2u * u.rank * u.rank;
  if (OUT) {
    upper_left[small] = whole[upper];
    upper_right[small] = whole[upper + u.rank];
    lower_left[small] = whole[lower];
  } else {
    whole[upper] = upper_left[small];
    whole[upper + u.rank] = upper_right[small];
    whole[lower] = lower_left[small];
    whole[lower + u.rank] = 0.0;
  }
}
