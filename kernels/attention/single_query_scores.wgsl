// scores[text, head, key] = scale q . k (+ bias; with CAPPED bent below a cap) of each text's one query: MASKED where the key takes no part.
struct Uniforms {
  texts: u32,
  heads: u32,
  // Query heads of a key-value head.
  group: u32,
  size: u32,
  keys: u32,
  // From a text's first key to the next text's.
  key_rows: u32,
  scale: f32,
  cap: f32,
}

#use value
#use width

#use total
#use soft_bound

override BIASED = false;
override CAPPED = false;

const MASKED = -3.0e38;

@group(0) @binding(0) var<storage, read> q: array<Value>;
@group(0) @binding(1) var<storage, read> k: array<Value>;
@group(0) @binding(2) var<storage, read> mask: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> scores: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.texts * u.heads * u.keys) {
    return;
  }
  let key = i % u.keys;
  let row = i / u.keys;
  let head = row % u.heads;
  let key_row = row / u.heads * u.key_rows + key;
  if (mask[key_row] == 0u) {
    scores[i] = MASKED;
    return;
  }
  let values = u.size / WIDTH;
  let from_query = row * values;
  let from_key = (key_row * (u.heads / u.group) + head / u.group) * values;
  var sum = Value(0.0);
  for (var c = 0u; c < values; c++) {
    sum += q[from_query + c] * k[from_key + c];
  }
  var score = u.scale * total(sum);
  if (CAPPED) {
    score = u.cap * soft_bound(score / u.cap);
  }
  if (BIASED) {
    score += bias[head * u.keys + key];
  }
  scores[i] = score;
}
