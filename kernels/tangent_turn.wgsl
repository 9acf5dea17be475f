// Turns factor gradients into the bases of the factors' singular vectors, hA = V_B^T dA and hB = dB V_A, or with BACK
// out of them, gA = V_B hA and gB = hB V_A^T. x counts elements of gA and then of gB.
struct Uniforms {
  // Where the gradients of A and B begin in `a_gradient` and `b_gradient`.
  da: u32,
  db: u32,
  rank: u32,
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
@group(0) @binding(3) var<storage, read> small: array<f32>;
@group(0) @binding(4) var<storage, read_write> a_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> b_out: array<f32>;
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
  let va = group.y * u.block;
  let stride = (r + 3u) / 4u * 4u;
  let vb = va + r * stride;
  let of_a = r * site.columns;
  if (i < of_a) {
    let j = i / site.columns;
    let c = i % site.columns;
    var sum = 0.0;
    for (var l = 0u; l < r; l++) {
      sum += small[vb + select(j * stride + l, l * stride + j, BACK)] * a_gradient[u.da + site.a + l * site.columns + c];
    }
    a_out[site.a + i] = sum;
  } else if (i < of_a + site.rows * r) {
    let e = i - of_a;
    let j = e % r;
    let row = e - j;
    var sum = 0.0;
    for (var l = 0u; l < r; l++) {
      sum += b_gradient[u.db + site.b + row + l] * small[va + select(j * stride + l, l * stride + j, BACK)];
    }
    b_out[site.b + e] = sum;
  }
}
