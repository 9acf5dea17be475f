// out = g + the penalty's gradient: gram Q for every Q and P gram for every P; e has none.
struct Uniforms {
  rank: u32,
  // Where the gradients of P and e begin in `g` and `out`; those of Q come first.
  p_at: u32,
  e_at: u32,
}

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
// Of Q and P in turn: see triplet_gram.wgsl.
@group(0) @binding(3) var<storage, read> grams: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let layer = layers[group.y];
  let r = u.rank;
  let gram_q = 2u * group.y * r * r;
  let gram_p = gram_q + r * r;
  // A line of groups that is too long goes on along z.
  var i = (group.x + group.z * groups.x) * 64u + lane;
  if (i < r * layer.columns) {
    let row = gram_q + i / layer.columns * r;
    let column = layer.q + i % layer.columns;
    var sum = g[layer.q + i];
    for (var l = 0u; l < r; l++) {
      sum += grams[row + l] * q[column + l * layer.columns];
    }
    out[layer.q + i] = sum;
    return;
  }
  i -= r * layer.columns;
  if (i < r * layer.rows) {
    let row = layer.p + i / r * r;
    let column = gram_p + i % r;
    let at = u.p_at + layer.p + i;
    var sum = g[at];
    for (var l = 0u; l < r; l++) {
      sum += p[row + l] * grams[column + l * r];
    }
    out[at] = sum;
    return;
  }
  i -= r * layer.rows;
  if (i < r) {
    let at = u.e_at + layer.e + i;
    out[at] = g[at];
  }
}
