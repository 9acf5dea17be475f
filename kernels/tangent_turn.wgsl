// Turns factor gradients into the bases of the factors' singular vectors, hA = V_B^T dA and hB = dB V_A, or with BACK
// out of them, gA = V_B hA and gB = hB V_A^T. A lane forms a tile of 4 x 4, of gA's first and then of gB's.
struct Uniforms {
  // Where the gradients of A and B begin in `a_gradient` and `b_gradient`.
  da: u32,
  db: u32,
  rank: u32,
  // In vectors.
  block: u32,
}

override BACK = false;

// One adapted linear map; places are in elements, counted from the batch's first.
struct Site {
  // Of A [rank, columns] and B [rows, rank].
  a: u32,
  b: u32,
  // Of the moments [rows, columns].
  moments: u32,
  rows: u32,
  columns: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> sites: array<Site>;
@group(0) @binding(1) var<storage, read> a_gradient: array<f32>;
@group(0) @binding(2) var<storage, read> b_gradient: array<f32>;
// V by columns: see tangent_pair.wgsl.
@group(0) @binding(3) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> a_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> b_out: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

fn load_a_gradient(at: u32, inside: u32) -> vec4<f32> {
  var values = vec4<f32>(0.0);
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    values[k] = a_gradient[at + k];
  }
  return values;
}

fn load_b_gradient(at: u32, inside: u32) -> vec4<f32> {
  var values = vec4<f32>(0.0);
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    values[k] = b_gradient[at + k];
  }
  return values;
}

fn store_a_out(at: u32, inside: u32, values: vec4<f32>) {
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    a_out[at + k] = values[k];
  }
}

fn store_b_out(at: u32, inside: u32, values: vec4<f32>) {
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    b_out[at + k] = values[k];
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let site = sites[group.y];
  // y counts sites; a line of groups that is too long goes on along z.
  let i = (group.x + group.z * groups.x) * 64u + lane;
  let r = u.rank;
  let blocks = (r + 3u) / 4u;
  let v_a = group.y * u.block;
  let v_b = v_a + r * blocks;
  let tiles = (site.columns + 3u) / 4u;
  var s0 = vec4<f32>(0.0);
  var s1 = vec4<f32>(0.0);
  var s2 = vec4<f32>(0.0);
  var s3 = vec4<f32>(0.0);
  if (i < blocks * tiles) {
    let j0 = i / tiles * 4u;
    let c0 = i % tiles * 4u;
    let inside = site.columns - c0;
    let from_ = u.da + site.a + c0;
    if (BACK) {
      for (var l = 0u; l < r; l++) {
        // Elements j0 .. j0 + 3 of column l.
        let v = small[v_b + l * blocks + j0 / 4u];
        let h = load_a_gradient(from_ + l * site.columns, inside);
        s0 += v.x * h;
        s1 += v.y * h;
        s2 += v.z * h;
        s3 += v.w * h;
      }
    } else {
      let v0 = v_b + j0 * blocks;
      let v1 = v_b + min(j0 + 1u, r - 1u) * blocks;
      let v2 = v_b + min(j0 + 2u, r - 1u) * blocks;
      let v3 = v_b + min(j0 + 3u, r - 1u) * blocks;
      for (var l = 0u; l < r; l += 4u) {
        // V's columns end in zeros, so that rows behind the last do not count.
        let d0 = load_a_gradient(from_ + l * site.columns, inside);
        let d1 = load_a_gradient(from_ + min(l + 1u, r - 1u) * site.columns, inside);
        let d2 = load_a_gradient(from_ + min(l + 2u, r - 1u) * site.columns, inside);
        let d3 = load_a_gradient(from_ + min(l + 3u, r - 1u) * site.columns, inside);
        let d = mat4x4<f32>(d0, d1, d2, d3);
        s0 += d * small[v0 + l / 4u];
        s1 += d * small[v1 + l / 4u];
        s2 += d * small[v2 + l / 4u];
        s3 += d * small[v3 + l / 4u];
      }
    }
    let to = site.a + j0 * site.columns + c0;
    store_a_out(to, inside, s0);
    if (j0 + 1u < r) {
      store_a_out(to + site.columns, inside, s1);
    }
    if (j0 + 2u < r) {
      store_a_out(to + 2u * site.columns, inside, s2);
    }
    if (j0 + 3u < r) {
      store_a_out(to + 3u * site.columns, inside, s3);
    }
    return;
  }
  let e = i - blocks * tiles;
  let row0 = e / blocks * 4u;
  if (row0 >= site.rows) {
    return;
  }
  let j0 = e % blocks * 4u;
  let last = site.rows - 1u;
  let from_ = u.db + site.b;
  for (var l = 0u; l < r; l += 4u) {
    let inside = r - l;
    var v: mat4x4<f32>;
    if (BACK) {
      v = mat4x4<f32>(
        small[v_a + l * blocks + j0 / 4u],
        small[v_a + min(l + 1u, r - 1u) * blocks + j0 / 4u],
        small[v_a + min(l + 2u, r - 1u) * blocks + j0 / 4u],
        small[v_a + min(l + 3u, r - 1u) * blocks + j0 / 4u],
      );
    } else {
      v = transpose(mat4x4<f32>(
        small[v_a + j0 * blocks + l / 4u],
        small[v_a + min(j0 + 1u, r - 1u) * blocks + l / 4u],
        small[v_a + min(j0 + 2u, r - 1u) * blocks + l / 4u],
        small[v_a + min(j0 + 3u, r - 1u) * blocks + l / 4u],
      ));
    }
    // Elements behind the row's end are loaded as zeros.
    s0 += v * load_b_gradient(from_ + row0 * r + l, inside);
    s1 += v * load_b_gradient(from_ + min(row0 + 1u, last) * r + l, inside);
    s2 += v * load_b_gradient(from_ + min(row0 + 2u, last) * r + l, inside);
    s3 += v * load_b_gradient(from_ + min(row0 + 3u, last) * r + l, inside);
  }
  let to = site.b + row0 * r + j0;
  store_b_out(to, r - j0, s0);
  if (row0 + 1u < site.rows) {
    store_b_out(to + r, r - j0, s1);
  }
  if (row0 + 2u < site.rows) {
    store_b_out(to + 2u * r, r - j0, s2);
  }
  if (row0 + 3u < site.rows) {
    store_b_out(to + 3u * r, r - j0, s3);
  }
}
