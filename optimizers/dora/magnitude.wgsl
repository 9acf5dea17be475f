// out (+)= x magnitude / norm, for each column of x or for each row; 0 where the norm is 0. A lane takes a chunk of one of
// them.
struct Uniforms {
  // Magnitudes, in values.
  magnitudes: u32,
  // From one column or row to the next, and from one value to the next along it.
  apart: u32,
  stride: u32,
  // Values along it, and of a chunk.
  length: u32,
  chunk: u32,
  accumulate: u32,
}

#use value

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> magnitude: array<Value>;
@group(0) @binding(2) var<storage, read> norms: array<Value>;
@group(0) @binding(3) var<storage, read_write> out: array<Value>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  let first = i / u.magnitudes * u.chunk;
  if (first >= u.length) {
    return;
  }
  let j = i % u.magnitudes;
  let none = norms[j] == Value(0.0);
  let gain = select(magnitude[j], Value(0.0), none) / select(norms[j], Value(1.0), none);
  let end = min(first + u.chunk, u.length);
  for (var k = first; k < end; k++) {
    let at = j * u.apart + k * u.stride;
    var y = x[at] * gain;
    if (u.accumulate != 0u) {
      y += out[at];
    }
    out[at] = y;
  }
}
