// Products of matrices in the layout of the factors and r x r matrices M, for A's from the left and for B's from the right:
//   A_out = M_A A_in and B_out = B_in M_B, or with `combine`
//   A_out = D_A A_out + M_A A_in and B_out = B_out D_B - B_in M_B, D diagonal.
// The first brings gradients into the bases of the factors' singular vectors, hA = V_B^T dA and hB = dB V_A, and back out of
// them, gA = V_B hA and gB = hB V_A^T. The second gives V_B^T gA = hA / (S^2 + d) / s^2 + Y T L and
// gB V_A = hB / (T^2 + d) / s^2 - U E in place of hA and hB: see tangent_pair.wgsl. One text for all, since a software adapter
// would compile each for as long. A lane forms a tile of 4 x 4, of A's first and then of B's.
struct Uniforms {
  #use shape
  // Where the matrices begin in `a_in` and `b_in`.
  a_at: u32,
  b_at: u32,
  // Places of M_A and M_B in a layer's block, in vectors.
  small_a: u32,
  small_b: u32,
  // 1 where the lines of M_A or M_B lie along the sum instead of along the result.
  along_a: u32,
  along_b: u32,
  combine: u32,
  // The rank, or 0 where M_A is zero.
  steps_a: u32,
}

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
@group(0) @binding(1) var<storage, read> a_in: array<f32>;
@group(0) @binding(2) var<storage, read> b_in: array<f32>;
@group(0) @binding(3) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> a_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> b_out: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

#use load a_in
#use load b_in
#use load a_out
#use store a_out
#use load b_out
#use store b_out

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let layer = layers[group.y];
  // y counts layers; a line of groups that is too long goes on along z.
  let i = (group.x + group.z * groups.x) * 64u + lane;
  let r = u.rank;
  let blocks = (r + 3u) / 4u;
  let base = group.y * u.block;
  let tiles = (layer.columns + 3u) / 4u;
  let of_a = i < blocks * tiles;
  let e = i - blocks * tiles;
  // The tile's first rank; A's other axis is that of its columns, B's that of its rows.
  let j0 = select(e % blocks, i / tiles, of_a) * 4u;
  let c0 = i % tiles * 4u;
  let row0 = e / blocks * 4u;
  if (!of_a && row0 >= layer.rows) {
    return;
  }
  let inside = layer.columns - c0;
  let rows = layer.b + min(vec4(row0) + vec4(0u, 1u, 2u, 3u), vec4(layer.rows - 1u)) * r;
  let along = select(u.along_b, u.along_a, of_a) == 1u;
  let small0 = base + select(u.small_b, u.small_a, of_a);
  let steps = select(r, u.steps_a, of_a);
  var sums = mat4x4<f32>();
  for (var l = 0u; l < steps; l += 4u) {
    // Four lines of M, with zeros in place of those behind the last one, as at the ends of all.
    let line0 = select(j0, l, along);
    let lines = vec4(line0) + vec4(0u, 1u, 2u, 3u);
    let at = small0 + min(lines, vec4(r - 1u)) * blocks + select(l, j0, along) / 4u;
    let some = vec4<f32>(lines < vec4(r));
    var m = mat4x4<f32>(small[at.x], some.y * small[at.y], some.z * small[at.z], some.w * small[at.w]);
    if (along == of_a) {
      m = transpose(m);
    }
    if (of_a) {
      let places = u.a_at + layer.a + c0 + min(vec4(l) + vec4(0u, 1u, 2u, 3u), vec4(r - 1u)) * layer.columns;
      sums += mat4x4<f32>(
        load_a_in(places.x, inside),
        load_a_in(places.y, inside),
        load_a_in(places.z, inside),
        load_a_in(places.w, inside),
      ) * m;
    } else {
      // Elements behind the row's end are loaded as zeros.
      sums += m * mat4x4<f32>(
        load_b_in(u.b_at + rows.x + l, r - l),
        load_b_in(u.b_at + rows.y + l, r - l),
        load_b_in(u.b_at + rows.z + l, r - l),
        load_b_in(u.b_at + rows.w + l, r - l),
      );
    }
  }
  var diagonal = small[base + 6u * r * blocks + select(2u, 3u, of_a) * blocks + j0 / 4u];
  if (of_a) {
    for (var k = 0u; k < min(r - j0, 4u) + u.zero; k++) {
      let to = layer.a + (j0 + k) * layer.columns + c0;
      var value = sums[k];
      if (u.combine == 1u) {
        value += diagonal[k] * load_a_out(to, inside);
      }
      store_a_out(to, inside, value);
    }
    return;
  }
  for (var k = 0u; k < min(layer.rows - row0, 4u) + u.zero; k++) {
    let to = layer.b + (row0 + k) * r + j0;
    var value = sums[k];
    if (u.combine == 1u) {
      value = diagonal * load_b_out(to, r - j0) - value;
    }
    store_b_out(to, r - j0, value);
  }
}
