// out = scale * (part 0 + part 1 + ...) (+ out): the end of a product that was split along its inner axis. A part may
// be no multiple of four long, and later parts then start within a vector: those sizes are read one by one.
struct Uniforms {
  count: u32,
  parts: u32,
  scale: f32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> u: Uniforms;

fn element(i: u32) -> f32 {
  return parts[i / 4u][i % 4u];
}

fn each(vector: u32) {
  let i = 4u * vector;
  var sum = vec4(0.0);
  if (u.count % 4u == 0u) {
    for (var part = 0u; part < u.parts; part++) {
      sum += parts[(part * u.count + i) / 4u];
    }
  } else {
    for (var part = 0u; part < u.parts; part++) {
      let at = part * u.count + i;
      sum += vec4(element(at), element(at + 1u), element(at + 2u), element(at + 3u));
    }
  }
  sum *= u.scale;
  let before = out[i / 4u];
  if (u.accumulate != 0u) {
    sum += before;
  }
  // What lies behind the last element belongs to others.
  out[i / 4u] = select(before, sum, vec4(i, i + 1u, i + 2u, i + 3u) < vec4(u.count));
}

#use main_for_each elements
