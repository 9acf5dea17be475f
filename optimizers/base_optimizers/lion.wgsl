// One update of Lion of `count` vectors: p = keep p - rate sign(blend m + rest g), and m = stay m + fresh g.
struct Uniforms {
  count: u32,
  rate: f32,
  keep: f32,
  blend: f32,
  rest: f32,
  stay: f32,
  fresh: f32,
}

@group(0) @binding(0) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> p: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

fn each(i: u32) {
  let blended = u.blend * m[i] + u.rest * g[i];
  // What is not finite has no sign, and would quietly be a step of some length: it stays what it is, as NaN.
  let bits = bitcast<vec4<u32>>(blended);
  let lost = bitcast<vec4<f32>>(bits | vec4(0x7fffffffu));
  let direction = select(sign(blended), lost, (bits & vec4(0x7f800000u)) == vec4(0x7f800000u));
  m[i] = u.stay * m[i] + u.fresh * g[i];
  p[i] = u.keep * p[i] - u.rate * direction;
}

#use main_for_each vectors
