// (sum x x, sum y y, sum x y, sum (x - y)^2) of each part of two tensors: the host adds the parts up in float64.
struct Uniforms {
  count: u32,
  stretch: u32,
  place: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> parts: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

var<workgroup> partial: array<vec4<f32>, 64>;

#use sum_of_lanes vec4<f32> 64u

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  // Stretches are multiples of four elements; the last vector may lie half beyond the end.
  let first = group.x * u.stretch;
  let last = min(first + u.stretch, u.count);
  var sums = vec4(0.0);
  for (var j = first + lane * 4u; j < last; j += 256u) {
    let inside = vec4(j, j + 1u, j + 2u, j + 3u) < vec4(last);
    let a = select(vec4(0.0), x[j / 4u], inside);
    let b = select(vec4(0.0), y[j / 4u], inside);
    let d = a - b;
    sums += vec4(dot(a, a), dot(b, b), dot(a, b), dot(d, d));
  }
  #use put sums
  workgroupBarrier();
  if (lane == 0u) {
    parts[u.place + group.x] = sum_of_lanes();
  }
}
