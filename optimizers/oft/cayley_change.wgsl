// How R = (I - Q) (I + Q)^-1 changes, block by block: -1/2 (I + R) dQ (I + R) for a skew dQ, whose upper triangle is given; or
// backward, from H = dL/dR, dL/dQ = -1/2 (I + R)^T H (I + R)^T, of which the part that a skew Q sees is added to dL/dq.
struct Uniforms {
  size: u32,
  accumulate: u32,
}

override BACKWARD = false;
override LANES = 64u;

@group(0) @binding(0) var<storage, read> rotations: array<f32>;
// H, or the upper triangles of dQ.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

// I + R, dQ or H, and their product.
var<workgroup> side: array<f32, 1024>;
var<workgroup> inner: array<f32, 1024>;
var<workgroup> half: array<f32, 1024>;

fn triangle(i: u32, j: u32) -> u32 {
  return i * (2u * u.size - i - 1u) / 2u + j - i - 1u;
}

// Of (I + R), or backward of its transpose.
fn side_at(i: u32, j: u32) -> f32 {
  return side[select(i * u.size + j, j * u.size + i, BACKWARD)];
}

fn result_at(i: u32, j: u32) -> f32 {
  var sum = 0.0;
  for (var k = 0u; k < u.size; k++) {
    sum += side_at(i, k) * half[k * u.size + j];
  }
  return -0.5 * sum;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let size = u.size;
  let numbers = size * size;
  let first = group.x * (size * (size - 1u) / 2u);
  for (var e = lane; e < numbers; e += LANES) {
    let i = e / size;
    let j = e % size;
    side[e] = rotations[group.x * numbers + e] + select(0.0, 1.0, i == j);
    if (BACKWARD) {
      inner[e] = x[group.x * numbers + e];
    } else if (i == j) {
      inner[e] = 0.0;
    } else {
      let value = x[first + triangle(min(i, j), max(i, j))];
      inner[e] = select(value, -value, i > j);
    }
  }
  workgroupBarrier();
  for (var e = lane; e < numbers; e += LANES) {
    var sum = 0.0;
    for (var k = 0u; k < size; k++) {
      sum += inner[e / size * size + k] * side_at(k, e % size);
    }
    half[e] = sum;
  }
  workgroupBarrier();
  for (var e = lane; e < numbers; e += LANES) {
    let i = e / size;
    let j = e % size;
    if (!BACKWARD) {
      out[group.x * numbers + e] = result_at(i, j);
    } else if (i < j) {
      let place = first + triangle(i, j);
      let change = result_at(i, j) - result_at(j, i);
      out[place] = select(0.0, out[place], u.accumulate != 0u) + change;
    }
  }
}
