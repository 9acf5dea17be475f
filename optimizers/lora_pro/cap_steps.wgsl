// Shortens a layer's step of A so that rate |gA| is at most `limit` |A|; one workgroup a layer.
struct Uniforms {
  rank: u32,
  rate: f32,
  limit: f32,
}

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> adjusted_a: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

var<workgroup> partial: array<vec2<f32>, 64>;

#use sum_of_lanes vec2<f32> 64u

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let layer = layers[group.x];
  let count = u.rank * layer.columns;
  var sums = vec2<f32>(0.0);
  for (var i = lane; i < count; i += 64u) {
    let step = adjusted_a[layer.a + i];
    let value = a[layer.a + i];
    sums += vec2(step * step, value * value);
  }
  #use put sums
  workgroupBarrier();
  let total = sum_of_lanes();
  let length = u.rate * sqrt(total.x);
  let longest = u.limit * sqrt(total.y);
  if (length > longest) {
    for (var i = lane; i < count; i += 64u) {
      adjusted_a[layer.a + i] *= longest / length;
    }
  }
}
