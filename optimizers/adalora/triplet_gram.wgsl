// How far the vectors of every Q and P are from orthonormal: M = Q Q^T - 1 or P^T P - 1, its Frobenius norm, and
// weight M / |M|, whose product with the vectors is the norm's gradient up to a factor. One workgroup a matrix, Q and P
// of a layer in turn.
struct Uniforms {
  rank: u32,
  // Elements from one row of M to the next, and of the products where those are formed already.
  stride: u32,
  weight: f32,
}

override LANES = 64u;
// `q` and `p` are not the vectors but Q Q^T and P^T P.
override FORMED = false;

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read_write> grams: array<f32>;
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, LANES>;

#use sum_of_lanes f32 LANES

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let layer = layers[group.x / 2u];
  let r = u.rank;
  let block = group.x * r * u.stride;
  var squares = 0.0;
  for (var k = lane; k < r * r; k += LANES) {
    let i = k / r;
    let j = k % r;
    var value = select(0.0, -1.0, i == j);
    if (FORMED) {
      let at = group.x / 2u * r * u.stride + i * u.stride + j;
      if (group.x % 2u == 0u) {
        value += q[at];
      } else {
        value += p[at];
      }
    } else if (group.x % 2u == 0u) {
      let x = layer.q + i * layer.columns;
      let y = layer.q + j * layer.columns;
      for (var t = 0u; t < layer.columns; t++) {
        value += q[x + t] * q[y + t];
      }
    } else {
      for (var t = 0u; t < layer.rows; t++) {
        let row = layer.p + t * r;
        value += p[row + i] * p[row + j];
      }
    }
    grams[block + i * u.stride + j] = value;
    squares += value * value;
  }
  #use put squares
  workgroupBarrier();
  let distance = sqrt(sum_of_lanes());
  if (lane == 0u) {
    distances[group.x] = distance;
  }
  // At |M| = 0 the norm has no gradient: 0 is taken.
  var factor = 0.0;
  if (distance > 0.0) {
    factor = u.weight / distance;
  }
  for (var k = lane; k < r * r; k += LANES) {
    grams[block + k / r * u.stride + k % r] *= factor;
  }
}
