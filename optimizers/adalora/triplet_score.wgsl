// Scores of triplets: that of e_i plus the means of those of row i of Q and of column i of P; one workgroup a triplet.
// A number's score is average x uncertainty; with UPDATE both first take in its importance |w g|.
struct Uniforms {
  rank: u32,
  // Where P's and e's part of `g`, `average` and `uncertainty` begins; Q's comes first.
  p_at: u32,
  e_at: u32,
  beta1: f32,
  beta2: f32,
  // 1 - beta, rounded once.
  rest1: f32,
  rest2: f32,
}

override LANES = 64u;
override UPDATE = true;

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read> e: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> average: array<f32>;
@group(0) @binding(6) var<storage, read_write> uncertainty: array<f32>;
@group(0) @binding(7) var<storage, read_write> scores: array<f32>;
@group(0) @binding(8) var<uniform> u: Uniforms;

var<workgroup> partial: array<vec2<f32>, LANES>;

#use sum_of_lanes vec2<f32> LANES

fn score_of(at: u32, w: f32) -> f32 {
  var mean = average[at];
  var spread = uncertainty[at];
  if (UPDATE) {
    let importance = abs(w * g[at]);
    mean = u.beta1 * mean + u.rest1 * importance;
    spread = u.beta2 * spread + u.rest2 * abs(importance - mean);
    average[at] = mean;
    uncertainty[at] = spread;
  }
  return mean * spread;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let layer = layers[group.y];
  let i = group.x;
  var sums = vec2<f32>(0.0);
  for (var t = lane; t < layer.columns; t += LANES) {
    let at = layer.q + i * layer.columns + t;
    sums.x += score_of(at, q[at]);
  }
  for (var t = lane; t < layer.rows; t += LANES) {
    let at = layer.p + t * u.rank + i;
    sums.y += score_of(u.p_at + at, p[at]);
  }
  #use put sums
  workgroupBarrier();
  if (lane == 0u) {
    let total = sum_of_lanes();
    let own = score_of(u.e_at + layer.e + i, e[layer.e + i]);
    scores[group.y * u.rank + i] = own + total.x / f32(layer.columns) + total.y / f32(layer.rows);
  }
}
