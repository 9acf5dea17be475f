// The r x r part of LoRA-Pro's closed form (arXiv 2407.18242, theorems 2.1 and 2.3) in the bases of the factors' singular
// vectors, where every Gram matrix is diagonal; one workgroup a site.
//
// With thin SVDs B = U S V_B^T and A = V_A T L (L the transposed left vectors of A^T), hA = V_B^T dA, hB = dB V_A, and
// d added to squares as damping:
//   Y = V_B^T X V_A, the gauge: with W = hA L^T T, Sylvester's equation gives -W / s^2 / (S^2 + d) / (S^2 + d + T^2 + d)
//   E = S^2 / (S^2 + d) U^T hB / (T^2 + d) / s^2 + S Y
// so that `tangent_combine` forms V_B^T gA = hA / (S^2 + d) / s^2 + Y T L and gB V_A = hB / (T^2 + d) / s^2 - U E.
// Never forming (B^T B)^-1 keeps errors at the condition number of B instead of its square.
struct Uniforms {
  rank: u32,
  block: u32,
  relative_damping: f32,
  absolute_damping: f32,
}

// 0: X = 0. 1: the Sylvester equation's. 2: symmetric.
override GAUGE = 0u;

// One adapted linear map; places are in elements, counted from the batch's first.
struct Site {
  // Of A [rank, columns] and B [rows, rank].
  a: u32,
  b: u32,
  // Of the moments [rows, columns].
  moments: u32,
  rows: u32,
  columns: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> sites: array<Site>;
@group(0) @binding(1) var<storage, read> a_turned: array<f32>;
@group(0) @binding(2) var<storage, read> b_turned: array<f32>;
@group(0) @binding(3) var<storage, read> a_left: array<f32>;
@group(0) @binding(4) var<storage, read> b_left: array<f32>;
// A block of 6 rank^2 + 4 rank words a site: V_A, V_B, two of the SVD, E, Y, then T, S and the inverses of A and B.
@group(0) @binding(5) var<storage, read_write> small: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

const LANES = 64u;

// 1 / (value^2 + damping), and 0 for a singular value that is 0: a pseudo-inverse.
fn damped_inverse(value: f32, damping: f32) -> f32 {
  return select(0.0, 1.0 / (value * value + damping), value > 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let site = sites[group.x];
  let r = u.rank;
  let base = group.x * u.block;
  let stride = (r + 3u) / 4u * 4u;
  let e0 = base + 4u * r * stride;
  let y0 = base + 5u * r * stride;
  let t0 = base + 6u * r * stride;
  let s0 = t0 + stride;

  var mean_a = 0.0;
  var mean_b = 0.0;
  for (var i = 0u; i < r; i++) {
    mean_a += small[t0 + i] * small[t0 + i];
    mean_b += small[s0 + i] * small[s0 + i];
  }
  let damping_a = u.relative_damping * mean_a / f32(r) + u.absolute_damping;
  let damping_b = u.relative_damping * mean_b / f32(r) + u.absolute_damping;
  let inverse_square = 1.0 / (site.scale * site.scale);
  for (var i = lane; i < r; i += LANES) {
    small[t0 + 2u * stride + i] = inverse_square * damped_inverse(small[t0 + i], damping_a);
    small[t0 + 3u * stride + i] = inverse_square * damped_inverse(small[s0 + i], damping_b);
  }

  for (var e = lane; e < r * r; e += LANES) {
    let i = e / r;
    let j = e % r;
    let s = small[s0 + i];
    let t = small[t0 + j];
    let inverse_b = damped_inverse(s, damping_b);
    let inverse_a = damped_inverse(t, damping_a);
    var y = 0.0;
    if (GAUGE != 0u) {
      for (var c = 0u; c < site.columns; c++) {
        y += a_turned[site.a + i * site.columns + c] * a_left[site.a + j * site.columns + c];
      }
      y *= -t * inverse_square * inverse_b;
      if (GAUGE == 1u) {
        // Zero over zero where both values vanish: y is 0 there.
        y /= max(s * s + damping_b + t * t + damping_a, 1e-38);
      } else {
        y *= 0.5 * inverse_a;
      }
    }
    var overlap = 0.0;
    for (var row = 0u; row < site.rows; row++) {
      overlap += b_left[site.b + row * r + i] * b_turned[site.b + row * r + j];
    }
    small[y0 + i * stride + j] = y;
    small[e0 + i * stride + j] = s * s * inverse_b * overlap * inverse_a * inverse_square + s * y;
  }
}
