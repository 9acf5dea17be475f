// R = (I - Q) (I + Q)^-1 = 2 (I + Q)^-1 - I of each skew block Q, whose upper triangle is given row by row; one workgroup a block.
// I + Q needs no pivots: its symmetric part is the identity.
struct Uniforms {
  size: u32,
}

override LANES = 64u;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read_write> rotations: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

var<workgroup> inverse: array<f32, 1024>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let size = u.size;
  let numbers = size * size;
  let first = group.x * (size * (size - 1u) / 2u);
  for (var e = lane; e < numbers; e += LANES) {
    let i = e / size;
    let j = e % size;
    let low = min(i, j);
    let place = first + low * (2u * size - low - 1u) / 2u + max(i, j) - low - 1u;
    // At the diagonal, whose place is another's or none.
    let value = q[min(place, arrayLength(&q) - 1u)];
    inverse[e] = select(select(value, -value, i > j), 1.0, i == j);
  }
  workgroupBarrier();
  for (var k = 0u; k < size; k++) {
    let pivot = 1.0 / inverse[k * size + k];
    workgroupBarrier();
    for (var j = lane; j < size; j += LANES) {
      let scaled = inverse[k * size + j] * pivot;
      inverse[k * size + j] = select(scaled, pivot, j == k);
    }
    workgroupBarrier();
    // A lane has whole rows, so that nobody else reads what it writes.
    for (var i = lane; i < size; i += LANES) {
      if (i != k) {
        let factor = inverse[i * size + k];
        for (var j = 0u; j < size; j++) {
          let old = select(inverse[i * size + j], 0.0, j == k);
          inverse[i * size + j] = old - factor * inverse[k * size + j];
        }
      }
    }
    workgroupBarrier();
  }
  for (var e = lane; e < numbers; e += LANES) {
    rotations[group.x * numbers + e] = 2.0 * inverse[e] - select(0.0, 1.0, e / size == e % size);
  }
}
