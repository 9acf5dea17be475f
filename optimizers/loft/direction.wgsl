// AdamW's direction on W, four elements a lane: out <- c1 M / (sqrt(max(c2 V, 0)) + epsilon), V being what lies in `out`.
struct Uniforms {
  count: u32,
  // c1 and c2.
  first: f32,
  second: f32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> m: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> u: Uniforms;

fn each(i: u32) {
  // Rounding may leave V below 0 where it cancels.
  out[i] = u.first * m[i] / (sqrt(max(u.second * out[i], vec4<f32>(0.0))) + u.epsilon);
}

#use main_for_each elements
