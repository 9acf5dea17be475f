// The r x r part of LoRA-Pro's closed form (arXiv 2407.18242, theorems 2.1 and 2.3) in the bases of the factors' singular
// vectors, where every Gram matrix is diagonal; one workgroup a layer.
//
// With thin SVDs B = U S V_B^T and A = V_A T L (L the transposed left vectors of A^T), hA = V_B^T dA, hB = dB V_A, and
// d added to squares as damping:
//   Y = V_B^T X V_A, the gauge: with W = hA L^T T, Sylvester's equation gives -W / s^2 / (S^2 + d) / (S^2 + d + T^2 + d)
//   E = S^2 / (S^2 + d) U^T hB / (T^2 + d) / s^2 + S Y
// so that `tangent_multiply` forms V_B^T gA = hA / (S^2 + d) / s^2 + Y T L and gB V_A = hB / (T^2 + d) / s^2 - U E.
//
// Where B has as many singular values as rows, U spans all: hB = U U^T hB, and hB / (T^2 + d) / s^2 - U E would leave of
// two equal terms their rounding, which Adam makes a whole step of. Then the first term is left out and E has what
// remains of both, E = -d / (S^2 + d) U^T hB / (T^2 + d) / s^2 + S Y: exactly S Y undamped, and 0 without a gauge.
// Never forming (B^T B)^-1 keeps errors at the condition number of B instead of its square.
struct Uniforms {
  #use shape
  // 0: X = 0. 1: the Sylvester equation's. 2: symmetric.
  gauge: u32,
  relative_damping: f32,
  absolute_damping: f32,
}

override LANES = 64u;

// Above 2^-126: adapters may take what is below for 0.
const TINY = 1.2e-38;

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
@group(0) @binding(1) var<storage, read> a_coordinates: array<f32>;
@group(0) @binding(2) var<storage, read> b_coordinates: array<f32>;
@group(0) @binding(3) var<storage, read> a_left: array<f32>;
@group(0) @binding(4) var<storage, read> b_left: array<f32>;
// A layer's block of r x r matrices whose lines are whole vectors with zeros at the end: V_A, V_B and two of the SVD, by
// columns; E and Y T, by rows; then T, S and the inverses of A and B.
@group(0) @binding(5) var<storage, read_write> small: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> u: Uniforms;

// What each lane sums: four rows of overlaps and four of Y.
var<workgroup> partial: array<vec4<f32>, LANES * 8u>;

#use load a_coordinates
#use load b_coordinates
#use load a_left
#use load b_left

#use sum4

// 1 / (value^2 + damping), and 0 for a singular value that is 0: a pseudo-inverse.
fn damped_inverse(value: vec4<f32>, damping: f32) -> vec4<f32> {
  return select(vec4<f32>(0.0), 1.0 / (value * value + damping), value > vec4<f32>(0.0));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let layer = layers[group.x];
  let r = u.rank;
  let blocks = (r + 3u) / 4u;
  let base = group.x * u.block;
  let e0 = base + 4u * r * blocks;
  let y0 = base + 5u * r * blocks;
  let t0 = base + 6u * r * blocks;
  let s0 = t0 + blocks;

  var squares_a = vec4<f32>(0.0);
  var squares_b = vec4<f32>(0.0);
  var ranks_b = vec4<u32>(0u);
  for (var b = 0u; b < blocks; b++) {
    squares_a += small[t0 + b] * small[t0 + b];
    squares_b += small[s0 + b] * small[s0 + b];
    ranks_b += vec4<u32>(small[s0 + b] > vec4<f32>(0.0));
  }
  let b_spans_all = ranks_b.x + ranks_b.y + ranks_b.z + ranks_b.w == layer.rows;
  let damping_a = u.relative_damping * sum4(squares_a) / f32(r) + u.absolute_damping;
  let damping_b = u.relative_damping * sum4(squares_b) / f32(r) + u.absolute_damping;
  let inverse_square = 1.0 / (layer.scale * layer.scale);
  for (var b = lane; b < blocks; b += LANES) {
    let coefficients_b = inverse_square * damped_inverse(small[t0 + b], damping_a);
    small[t0 + 2u * blocks + b] = select(coefficients_b, vec4<f32>(0.0), b_spans_all);
    small[t0 + 3u * blocks + b] = inverse_square * damped_inverse(small[s0 + b], damping_b);
  }

  // A lane sums a part of the rows of U and V, and of the columns of A, for a tile of 4 x 4; as many lanes share a tile
  // as there are lanes for all of them.
  let tiles = blocks * blocks;
  let parts = max(LANES / tiles, 1u);
  let at_once = min(LANES / parts, tiles);
  for (var first = 0u; first < tiles; first += at_once) {
    let tile = first + lane / parts;
    var overlaps = mat4x4<f32>();
    var ys = mat4x4<f32>();
    if (lane < at_once * parts && tile < tiles) {
      let i0 = tile / blocks * 4u;
      let j0 = tile % blocks * 4u;
      for (var row = lane % parts; row < layer.rows; row += parts) {
        let at = layer.b + row * r;
        let l = load_b_left(at + i0, r - i0);
        let h = load_b_coordinates(at + j0, r - j0);
        overlaps += mat4x4<f32>(l.x * h, l.y * h, l.z * h, l.w * h);
      }
      if (u.gauge != 0u) {
        let is = layer.a + min(vec4(i0) + vec4(0u, 1u, 2u, 3u), vec4(r - 1u)) * layer.columns;
        let js = layer.a + min(vec4(j0) + vec4(0u, 1u, 2u, 3u), vec4(r - 1u)) * layer.columns;
        for (var c = 4u * (lane % parts); c < layer.columns; c += 4u * parts) {
          let inside = layer.columns - c;
          let l = mat4x4<f32>(
            load_a_left(js.x + c, inside),
            load_a_left(js.y + c, inside),
            load_a_left(js.z + c, inside),
            load_a_left(js.w + c, inside),
          );
          ys += mat4x4<f32>(
            load_a_coordinates(is.x + c, inside) * l,
            load_a_coordinates(is.y + c, inside) * l,
            load_a_coordinates(is.z + c, inside) * l,
            load_a_coordinates(is.w + c, inside) * l,
          );
        }
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < 4u + u.zero; k++) {
      partial[8u * lane + k] = overlaps[k];
      partial[8u * lane + 4u + k] = ys[k];
    }
    workgroupBarrier();
    for (var line = lane; line < 4u * at_once; line += LANES) {
      let of_tile = first + line / 4u;
      let i = of_tile / blocks * 4u + line % 4u;
      if (of_tile < tiles && i < r) {
        var overlap = vec4<f32>(0.0);
        var y = vec4<f32>(0.0);
        for (var part = 0u; part < parts; part++) {
          let at = 8u * (line / 4u * parts + part) + line % 4u;
          overlap += partial[at];
          y += partial[at + 4u];
        }
        let b = of_tile % blocks;
        let s = small[s0 + i / 4u][i % 4u];
        let t = small[t0 + b];
        let inverse_b = damped_inverse(vec4(s), damping_b);
        let inverse_a = damped_inverse(t, damping_a);
        y *= -t * inverse_square * inverse_b;
        if (u.gauge == 1u) {
          // Zero over zero where both values vanish: y is 0 there.
          y /= max(s * s + damping_b + t * t + damping_a, vec4<f32>(TINY));
        } else {
          y *= 0.5 * inverse_a;
        }
        small[y0 + i * blocks + b] = y * t;
        let share = select(s * s, -damping_b, b_spans_all);
        small[e0 + i * blocks + b] = share * inverse_b * overlap * inverse_a * inverse_square + s * y;
      }
    }
  }
}
