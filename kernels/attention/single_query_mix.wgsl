// out[text, head] = softmax(scores[text, head]) v over the keys that take part: zeros where none does.
struct Uniforms {
  texts: u32,
  heads: u32,
  // Query heads of a key-value head.
  group: u32,
  size: u32,
  keys: u32,
  // From a text's first value to the next text's.
  key_rows: u32,
}

#use value
#use width

const LOWEST = -3.0e38;

@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read> v: array<Value>;
@group(0) @binding(2) var<storage, read> mask: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<Value>;
@group(0) @binding(4) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let values = u.size / WIDTH;
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.texts * u.heads * values) {
    return;
  }
  let row = i / values;
  let first = row * u.keys;
  var top = LOWEST;
  for (var key = 0u; key < u.keys; key++) {
    top = max(top, scores[first + key]);
  }
  let key_heads = u.heads / u.group;
  let text_start = row / u.heads * u.key_rows;
  let start = (text_start * key_heads + row % u.heads / u.group) * values + i % values;
  var sum = 0.0;
  var mix = Value(0.0);
  var none = true;
  for (var key = 0u; key < u.keys; key++) {
    // What takes no part is never read.
    if (mask[text_start + key] != 0u) {
      // max() may drop a NaN, which then comes back as its own probability.
      let p = exp(scores[first + key] - top);
      sum += p;
      mix += p * v[start + key * key_heads * values];
      none = false;
    }
  }
  out[i] = mix / select(sum, 1.0, none);
}
