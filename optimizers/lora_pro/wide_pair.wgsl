// The r x r part of LoRA-Pro's closed form at ranks above 12, element by element: what `WidePairs` multiplies factors with.
//
// With thin SVDs B = U S V_B^T and A = V_A T L, d added to squares as damping, 1/a = T / (T^2 + d) and 1/b = S / (S^2 + d),
// and raw gradients dA and dB, the equivalent gradient without a gauge is
//   s (U K + H L),  H = dB V_A / a / s^2,  K = (V_B / b)^T dA / s^2 - S / b U^T H L.
// From hA = V_B^T dA and hB = dB V_A the factors' gradients are, with Y = V_B^T X V_A,
//   gA = V_B (hA / (S^2 + d) / s^2 + Y T L),  gB = (hB / (T^2 + d) / s^2 - U E) V_A^T,
//   E = S / b U^T hB / (T^2 + d) / s^2 + S Y,  Y = -S U^T hB / (S^2 + d) / (S^2 + d + T^2 + d) / s^2
// by Sylvester's equation, since hA L^T T = S U^T hB. Of Adam's direction D: hA = s S U^T D and hB = s D L^T T.
//
// Where B has as many singular values as rows, U spans all: see tangent_pair.wgsl. Then H does not count, and S / b is
// -d / (S^2 + d).
struct Uniforms {
  rank: u32,
  // From one layer's block of `small` to the next one's, in vectors.
  block: u32,
  // 0: X = 0. 1: the Sylvester equation's. 2: symmetric.
  gauge: u32,
  relative_damping: f32,
  absolute_damping: f32,
  // 1 where the coordinates are U^T D and D L^T.
  of_direction: u32,
}

// 0: dampings and whether B spans all. 1: V_A / a / s^2 and V_B / b / s^2. 2: -S / b times the overlaps. 3: what turns
// coordinates into gradients.
override PART = 0u;

// Above 2^-126: adapters may take what is below for 0.
const TINY = 1.2e-38;

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
// Overlaps of U with H or hB, by rows.
@group(0) @binding(1) var<storage, read> overlaps: array<vec4<f32>>;
// A layer's block of r x r matrices whose lines are whole vectors with zeros at the end: V_A, V_B and their multiples, by
// columns; E and Y T, by rows; then T, S and what part 0 finds.
@group(0) @binding(2) var<storage, read_write> small: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

#use sum4

// 1 / (value^2 + damping), and 0 for a singular value that is 0: a pseudo-inverse.
fn damped_inverse(value: vec4<f32>, damping: f32) -> vec4<f32> {
  return select(vec4<f32>(0.0), 1.0 / (value * value + damping), value > vec4<f32>(0.0));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // y counts layers; a line of groups that is too long goes on along z.
  let e = (group.x + group.z * groups.x) * 64u + lane;
  let layer = layers[group.y];
  let r = u.rank;
  let blocks = (r + 3u) / 4u;
  let size = r * blocks;
  let base = group.y * u.block;
  let t0 = base + 6u * size;
  let s0 = t0 + blocks;
  let facts = s0 + blocks;
  if (PART == 0u) {
    if (e > 0u) {
      return;
    }
    var squares_a = vec4<f32>(0.0);
    var squares_b = vec4<f32>(0.0);
    var ranks_b = vec4<u32>(0u);
    for (var b = 0u; b < blocks; b++) {
      squares_a += small[t0 + b] * small[t0 + b];
      squares_b += small[s0 + b] * small[s0 + b];
      ranks_b += vec4<u32>(small[s0 + b] > vec4<f32>(0.0));
    }
    let spans = ranks_b.x + ranks_b.y + ranks_b.z + ranks_b.w == layer.rows;
    small[facts] = vec4(
      u.relative_damping * sum4(squares_a) / f32(r) + u.absolute_damping,
      u.relative_damping * sum4(squares_b) / f32(r) + u.absolute_damping,
      select(0.0, 1.0, spans),
      0.0,
    );
    return;
  }
  if (e >= size) {
    return;
  }
  let line = e / blocks;
  let b = e % blocks;
  let damping_a = small[facts].x;
  let damping_b = small[facts].y;
  let spans = small[facts].z == 1.0;
  let inverse_square = 1.0 / (layer.scale * layer.scale);
  let t = small[t0 + line / 4u][line % 4u];
  let s = small[s0 + line / 4u][line % 4u];
  let inverse_b = damped_inverse(vec4(s), damping_b).x;
  let inverse_a = damped_inverse(vec4(t), damping_a).x;
  if (PART == 1u) {
    small[base + 2u * size + e] = t * inverse_a * inverse_square * small[base + e];
    small[base + 3u * size + e] = s * inverse_b * inverse_square * small[base + size + e];
    return;
  }
  let share = select(s * s, -damping_b, spans) * inverse_b;
  if (PART == 2u) {
    small[base + 4u * size + e] = -share * overlaps[group.y * size + e];
    return;
  }
  let is_direction = u.of_direction == 1u;
  let of_a = select(1.0, layer.scale * s, is_direction) * inverse_square * inverse_b;
  let of_b = select(1.0, layer.scale * t, is_direction) * inverse_square * inverse_a;
  small[base + 2u * size + e] = select(of_b, 0.0, spans) * small[base + e];
  small[base + 3u * size + e] = of_a * small[base + size + e];
  let ts = small[t0 + b];
  let inverses_a = damped_inverse(ts, damping_a);
  let overlap = overlaps[group.y * size + e] * select(vec4(1.0), layer.scale * ts, is_direction);
  var y = -s * inverse_square * inverse_b * overlap;
  if (u.gauge == 1u) {
    // Zero over zero where both values vanish: y is 0 there.
    y /= max(s * s + damping_b + ts * ts + damping_a, vec4<f32>(TINY));
  } else {
    y *= select(0.0, 0.5, u.gauge == 2u) * inverses_a;
  }
  small[base + 4u * size + e] = share * overlap * inverses_a * inverse_square + s * y;
  small[base + 5u * size + e] = y * ts;
}
