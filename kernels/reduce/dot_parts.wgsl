// parts[group] = sum of a[j] b[j] over the group's stretch of vectors; `sum_parts` adds them up.
struct Uniforms {
  // Elements.
  count: u32,
  // Vectors.
  stretch: u32,
}

// a and b are one tensor, which is read once.
override SQUARE = false;

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

#use sum_of_lanes f32 64u
#use sum4

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * u.stretch;
  let whole = u.count / 4u;
  let last = min(first + u.stretch, whole);
  var sums = vec4<f32>(0.0);
  for (var j = first + lane; j < last; j += 64u) {
    let value = a[j];
    if (SQUARE) {
      sums += value * value;
    } else {
      sums += value * b[j];
    }
  }
  // What lies behind the last element is not ours.
  if (first <= whole && whole < first + u.stretch && lane == 0u && u.count % 4u != 0u) {
    let inside = vec4(0u, 1u, 2u, 3u) < vec4(u.count % 4u);
    sums += select(vec4<f32>(0.0), a[whole] * b[whole], inside);
  }
  #use put sum4(sums)
  workgroupBarrier();
  if (lane == 0u) {
    parts[group.x] = sum_of_lanes();
  }
}
