// parts[group] = sum of a[j] b[j] over the group's stretch; `sum_parts` adds them up.
struct Uniforms {
  count: u32,
  stretch: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * u.stretch;
  let last = min(first + u.stretch, u.count);
  var sum = 0.0;
  for (var j = first + lane; j < last; j += 64u) {
    sum += a[j] * b[j];
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var total = 0.0;
    for (var j = 0u; j < 64u; j++) {
      total += partial[j];
    }
    parts[group.x] = total;
  }
}
