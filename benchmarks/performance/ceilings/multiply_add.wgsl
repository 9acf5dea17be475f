// As many multiplications and additions as the adapter can do: twelve independent chains a lane, nothing loaded.
struct Uniforms {
  steps: u32,
  factor: f32,
  term: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  var a = vec4<f32>(f32(id.x));
  var b = a + 1.0;
  var c = a + 2.0;
  for (var i = 0u; i < u.steps; i++) {
    // Sixteen multiply-adds of each chain, so that the loop itself costs little.
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
    a = a * u.factor + u.term;
    b = b * u.factor + u.term;
    c = c * u.factor + u.term;
  }
  let sum = a + b + c;
  out[id.x] = (sum.x + sum.y) + (sum.z + sum.w);
}
