// V_B^T gA = hA / (S^2 + d) / s^2 + Y T L and gB V_A = hB / (T^2 + d) / s^2 - U E, in place of hA and hB: see tangent_pair.
// A lane forms a tile of 4 x 4, of the first and then of the second.
struct Uniforms {
  rank: u32,
  // In vectors.
  block: u32,
}

// 0: X = 0, and so is Y.
override GAUGE = 0u;

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
@group(0) @binding(1) var<storage, read> a_left: array<f32>;
@group(0) @binding(2) var<storage, read> b_left: array<f32>;
@group(0) @binding(3) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> a_turned: array<f32>;
@group(0) @binding(5) var<storage, read_write> b_turned: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

fn load_a_left(at: u32, inside: u32) -> vec4<f32> {
  var values = vec4<f32>(0.0);
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    values[k] = a_left[at + k];
  }
  return values;
}

fn load_b_left(at: u32, inside: u32) -> vec4<f32> {
  var values = vec4<f32>(0.0);
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    values[k] = b_left[at + k];
  }
  return values;
}

fn load_a_turned(at: u32, inside: u32) -> vec4<f32> {
  var values = vec4<f32>(0.0);
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    values[k] = a_turned[at + k];
  }
  return values;
}

fn store_a_turned(at: u32, inside: u32, values: vec4<f32>) {
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    a_turned[at + k] = values[k];
  }
}

fn load_b_turned(at: u32, inside: u32) -> vec4<f32> {
  var values = vec4<f32>(0.0);
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    values[k] = b_turned[at + k];
  }
  return values;
}

fn store_b_turned(at: u32, inside: u32, values: vec4<f32>) {
  let count = min(inside, 4u);
  for (var k = 0u; k < count; k++) {
    b_turned[at + k] = values[k];
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
  let base = group.y * u.block;
  let tiles = (site.columns + 3u) / 4u;
  if (i < blocks * tiles) {
    let j0 = i / tiles * 4u;
    let c0 = i % tiles * 4u;
    let inside = site.columns - c0;
    let at0 = site.a + j0 * site.columns + c0;
    let at1 = site.a + min(j0 + 1u, r - 1u) * site.columns + c0;
    let at2 = site.a + min(j0 + 2u, r - 1u) * site.columns + c0;
    let at3 = site.a + min(j0 + 3u, r - 1u) * site.columns + c0;
    let inverse = small[base + 6u * r * blocks + 3u * blocks + j0 / 4u];
    var s0 = inverse.x * load_a_turned(at0, inside);
    var s1 = inverse.y * load_a_turned(at1, inside);
    var s2 = inverse.z * load_a_turned(at2, inside);
    var s3 = inverse.w * load_a_turned(at3, inside);
    if (GAUGE != 0u) {
      let y0 = base + 5u * r * blocks + j0 * blocks;
      let y1 = y0 + min(1u, r - 1u - j0) * blocks;
      let y2 = y0 + min(2u, r - 1u - j0) * blocks;
      let y3 = y0 + min(3u, r - 1u - j0) * blocks;
      for (var l = 0u; l < r; l += 4u) {
        // Y's rows end in zeros, so that rows of L behind the last do not count.
        let from_ = site.a + c0;
        let d = mat4x4<f32>(
          load_a_left(from_ + l * site.columns, inside),
          load_a_left(from_ + min(l + 1u, r - 1u) * site.columns, inside),
          load_a_left(from_ + min(l + 2u, r - 1u) * site.columns, inside),
          load_a_left(from_ + min(l + 3u, r - 1u) * site.columns, inside),
        );
        s0 += d * small[y0 + l / 4u];
        s1 += d * small[y1 + l / 4u];
        s2 += d * small[y2 + l / 4u];
        s3 += d * small[y3 + l / 4u];
      }
    }
    store_a_turned(at0, inside, s0);
    if (j0 + 1u < r) {
      store_a_turned(at1, inside, s1);
    }
    if (j0 + 2u < r) {
      store_a_turned(at2, inside, s2);
    }
    if (j0 + 3u < r) {
      store_a_turned(at3, inside, s3);
    }
    return;
  }
  let e = i - blocks * tiles;
  let row0 = e / blocks * 4u;
  if (row0 >= site.rows) {
    return;
  }
  let j0 = e % blocks * 4u;
  let rows = site.b + min(vec4(row0) + vec4(0u, 1u, 2u, 3u), vec4(site.rows - 1u)) * r;
  let inverse = small[base + 6u * r * blocks + 2u * blocks + j0 / 4u];
  var s0 = inverse * load_b_turned(rows.x + j0, r - j0);
  var s1 = inverse * load_b_turned(rows.y + j0, r - j0);
  var s2 = inverse * load_b_turned(rows.z + j0, r - j0);
  var s3 = inverse * load_b_turned(rows.w + j0, r - j0);
  let e0 = base + 4u * r * blocks;
  for (var l = 0u; l < r; l += 4u) {
    // Row l of E holds its columns j0 .. j0 + 3; elements of U behind the row's end are loaded as zeros.
    let lines = mat4x4<f32>(
      small[e0 + l * blocks + j0 / 4u],
      small[e0 + min(l + 1u, r - 1u) * blocks + j0 / 4u],
      small[e0 + min(l + 2u, r - 1u) * blocks + j0 / 4u],
      small[e0 + min(l + 3u, r - 1u) * blocks + j0 / 4u],
    );
    s0 -= lines * load_b_left(rows.x + l, r - l);
    s1 -= lines * load_b_left(rows.y + l, r - l);
    s2 -= lines * load_b_left(rows.z + l, r - l);
    s3 -= lines * load_b_left(rows.w + l, r - l);
  }
  store_b_turned(rows.x + j0, r - j0, s0);
  if (row0 + 1u < site.rows) {
    store_b_turned(rows.y + j0, r - j0, s1);
  }
  if (row0 + 2u < site.rows) {
    store_b_turned(rows.z + j0, r - j0, s2);
  }
  if (row0 + 3u < site.rows) {
    store_b_turned(rows.w + j0, r - j0, s3);
  }
}
