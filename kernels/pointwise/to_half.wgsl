// out = x as 16-bit floats, two to a word, rounded to the nearest, ties to even. By hand: pack2x16float may round
// either way. Beyond the largest half is infinity; NaN stays NaN.
struct Uniforms {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

fn half_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) {
    return sign | 0x7e00u;
  }
  // From 65,520 on the nearest is infinity.
  if (size >= 0x477ff000u) {
    return sign | 0x7c00u;
  }
  // Normal from 2^-14 on: the exponent's bias changes from 127 to 15, and 13 bits are rounded away.
  if (size >= 0x38800000u) {
    let rebiased = size - 0x38000000u;
    return sign | ((rebiased + 0xfffu + ((rebiased >> 13u) & 1u)) >> 13u);
  }
  // Subnormal halves are multiples of 2^-24.
  return sign | u32(round(bitcast<f32>(size) * 16777216.0));
}

fn each(vector: u32) {
  let i = 4u * vector;
  // Behind the last element come zeros, to the end of its word.
  let values = select(vec4(0.0), x[i / 4u], vec4(i, i + 1u, i + 2u, i + 3u) < vec4(u.count));
  out[i / 2u] = half_of(values.x) | (half_of(values.y) << 16u);
  if (i + 2u < u.count) {
    out[i / 2u + 1u] = half_of(values.z) | (half_of(values.w) << 16u);
  }
}

#use main_for_each elements
