// Adam's moments of the equivalent gradient s (B gA + gB A) = s (U S (V_B^T gA) + (gB V_A) T L), which is never stored: a
// lane forms a tile of 4 x 4 of it.
struct Uniforms {
  rank: u32,
  block: u32,
  beta1: f32,
  beta2: f32,
  // 1 - beta, rounded once.
  rest1: f32,
  rest2: f32,
}

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
@group(0) @binding(3) var<storage, read> small: array<f32>;
@group(0) @binding(4) var<storage, read> a_turned: array<f32>;
@group(0) @binding(5) var<storage, read> b_turned: array<f32>;
@group(0) @binding(6) var<storage, read_write> m: array<f32>;
@group(0) @binding(7) var<storage, read_write> v: array<f32>;
@group(0) @binding(8) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let site = sites[group.y];
  let tiles = (site.columns + 3u) / 4u;
  // y counts sites; a line of groups that is too long goes on along z.
  let i = (group.x + group.z * groups.x) * 64u + lane;
  let row0 = i / tiles * 4u;
  let column0 = i % tiles * 4u;
  if (row0 >= site.rows) {
    return;
  }
  let r = u.rank;
  let last_row = site.rows - 1u;
  let last_column = site.columns - 1u;
  let rows = min(vec4(row0) + vec4(0u, 1u, 2u, 3u), vec4(last_row)) * r + site.b;
  let columns = min(vec4(column0) + vec4(0u, 1u, 2u, 3u), vec4(last_column)) + site.a;
  var g0 = vec4<f32>(0.0);
  var g1 = vec4<f32>(0.0);
  var g2 = vec4<f32>(0.0);
  var g3 = vec4<f32>(0.0);
  let stride = (r + 3u) / 4u * 4u;
  let t0 = group.y * u.block + 6u * r * stride;
  for (var j = 0u; j < r; j++) {
    let at = columns + j * site.columns;
    let row_a = small[t0 + j] * vec4(a_left[at.x], a_left[at.y], a_left[at.z], a_left[at.w]);
    let row_da = small[t0 + stride + j] * vec4(a_turned[at.x], a_turned[at.y], a_turned[at.z], a_turned[at.w]);
    g0 += b_left[rows.x + j] * row_da + b_turned[rows.x + j] * row_a;
    g1 += b_left[rows.y + j] * row_da + b_turned[rows.y + j] * row_a;
    g2 += b_left[rows.z + j] * row_da + b_turned[rows.z + j] * row_a;
    g3 += b_left[rows.w + j] * row_da + b_turned[rows.w + j] * row_a;
  }
  update(site, row0, column0, site.scale * g0);
  update(site, row0 + 1u, column0, site.scale * g1);
  update(site, row0 + 2u, column0, site.scale * g2);
  update(site, row0 + 3u, column0, site.scale * g3);
}

fn update(site: Site, row: u32, column: u32, g: vec4<f32>) {
  if (row >= site.rows) {
    return;
  }
  let first = site.moments + row * site.columns + column;
  let inside = site.columns - column;
  update_one(first, g.x);
  if (inside > 1u) {
    update_one(first + 1u, g.y);
  }
  if (inside > 2u) {
    update_one(first + 2u, g.z);
  }
  if (inside > 3u) {
    update_one(first + 3u, g.w);
  }
}

fn update_one(at: u32, g: f32) {
  m[at] = u.beta1 * m[at] + u.rest1 * g;
  v[at] = u.beta2 * v[at] + u.rest2 * g * g;
}
