// V_B^T gA = hA / (S^2 + d) / s^2 + Y T L and gB V_A = hB / (T^2 + d) / s^2 - U E, in place of hA and hB: see tangent_pair.
struct Uniforms {
  rank: u32,
  block: u32,
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
@group(0) @binding(4) var<storage, read_write> a_turned: array<f32>;
@group(0) @binding(5) var<storage, read_write> b_turned: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

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
  let base = group.y * u.block;
  let stride = (r + 3u) / 4u * 4u;
  let e0 = base + 4u * r * stride;
  let y0 = base + 5u * r * stride;
  let t0 = base + 6u * r * stride;
  let of_a = r * site.columns;
  if (i < of_a) {
    let j = i / site.columns;
    let c = i % site.columns;
    var sum = small[t0 + 3u * stride + j] * a_turned[site.a + i];
    for (var l = 0u; l < r; l++) {
      sum += small[y0 + j * stride + l] * small[t0 + l] * a_left[site.a + l * site.columns + c];
    }
    a_turned[site.a + i] = sum;
  } else if (i < of_a + site.rows * r) {
    let e = i - of_a;
    let j = e % r;
    let row = e - j;
    var sum = small[t0 + 2u * stride + j] * b_turned[site.b + e];
    for (var l = 0u; l < r; l++) {
      sum -= b_left[site.b + row + l] * small[e0 + l * stride + j];
    }
    b_turned[site.b + e] = sum;
  }
}
