// out = x as 32-bit floats.
struct Uniforms {
  count: u32,
}

#use stored

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> u: Uniforms;

#use read

fn each(vector: u32) {
  let i = 4u * vector;
  var values = x_4(i, u.count);
  if (i + 4u > u.count) {
    // What lies behind the last element belongs to others.
    values = select(out[i / 4u], values, vec4(i, i + 1u, i + 2u, i + 3u) < vec4(u.count));
  }
  out[i / 4u] = values;
}

#use main_for_each elements
