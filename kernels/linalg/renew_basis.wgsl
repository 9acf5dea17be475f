// The bases at which the next decompositions begin, of many right singular vectors V, one workgroup each: V's columns in the
// order of their singular values, the largest first; the identity where one is 0, whose column of V is 0; and what it was where
// one is negative, so that V holds no singular vectors. And s, moved to where V lies.
struct Uniforms {
  rank: u32,
  // Elements from one row of a basis, and one column of V, to the next.
  stride: u32,
  // Of `svds`: from one layer to the next, and where V, by columns, and s lie; and likewise of `values`.
  block: u32,
  v_at: u32,
  s_at: u32,
  values_block: u32,
  values_at: u32,
}

override LANES = 64u;

@group(0) @binding(0) var<storage, read_write> svds: array<f32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
// By rows.
@group(0) @binding(2) var<storage, read_write> basis: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> u: Uniforms;

// Counts for more than all values together.
const NONE = 1024u;

var<workgroup> partial: array<u32, LANES>;
// Which column of V comes at a place.
var<workgroup> order: array<u32, 256>;

#use sum_of_lanes u32 LANES

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let v = group.x * u.block + u.v_at;
  let s = group.x * u.values_block + u.values_at;
  var present = 0u;
  for (var j = lane; j < u.rank; j += LANES) {
    let value = values[s + j];
    svds[group.x * u.block + u.s_at + j] = value;
    present += select(select(0u, 1u, value > 0.0), NONE, value < 0.0);
    var place = 0u;
    for (var k = 0u; k < u.rank; k++) {
      place += select(0u, 1u, values[s + k] > value || (values[s + k] == value && k < j));
    }
    order[place] = j;
  }
  #use put present
  workgroupBarrier();
  let total = sum_of_lanes();
  if (total >= NONE) {
    return;
  }
  let is_whole = total == u.rank;
  let blocks = u.stride / 4u;
  for (var e = lane; e < u.rank * blocks; e += LANES) {
    let i = e / blocks;
    let places = vec4(e % blocks * 4u) + vec4(0u, 1u, 2u, 3u);
    let inside = places < vec4(u.rank);
    var row = select(vec4<f32>(0.0), vec4(1.0), places == vec4(i));
    if (is_whole) {
      let columns = select(vec4(0u), places, inside);
      let at = vec4(order[columns.x], order[columns.y], order[columns.z], order[columns.w]) * u.stride + v + i;
      row = select(vec4<f32>(0.0), vec4(svds[at.x], svds[at.y], svds[at.z], svds[at.w]), inside);
    }
    basis[group.x * u.rank * blocks + e] = row;
  }
}
