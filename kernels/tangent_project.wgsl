// The turned gradients that Adam's direction D would give the factors, as if it were the full gradient: V_B^T (s B^T D) =
// s S U^T D, or with OF_B (s D A^T) V_A = s D L^T T. D is formed from its moments on the way and never stored. A lane forms four of D's lines times four ranks.
struct Uniforms {
  rank: u32,
  block: u32,
  correction1: f32,
  correction2: f32,
  epsilon: f32,
}

override OF_B = false;

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
// U, or with OF_B L: left vectors in the layout of B or A.
@group(0) @binding(1) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read> small: array<f32>;
@group(0) @binding(3) var<storage, read> m: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> projected: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let site = sites[group.y];
  let r = u.rank;
  // D's lines are its columns for s B^T D and its rows for s D A^T; the sum runs along the other axis.
  let lines = select(site.columns, site.rows, OF_B);
  let depth = select(site.rows, site.columns, OF_B);
  let line_stride = select(1u, site.columns, OF_B);
  let depth_stride = select(site.columns, 1u, OF_B);
  let rank_blocks = (r + 3u) / 4u;
  // y counts sites; a line of groups that is too long goes on along z.
  let i = (group.x + group.z * groups.x) * 64u + lane;
  let line0 = i / rank_blocks * 4u;
  let rank0 = i % rank_blocks * 4u;
  if (line0 >= lines) {
    return;
  }
  let steps = vec4(0u, 1u, 2u, 3u);
  let at0 = site.moments + min(vec4(line0) + steps, vec4(lines - 1u)) * line_stride;
  let ranks = min(vec4(rank0) + steps, vec4(r - 1u));
  // U[k, j] or L[j, k].
  let left0 = select(ranks + site.b, ranks * site.columns + site.a, vec4<bool>(OF_B));
  let left_stride = select(r, 1u, OF_B);
  var s0 = vec4<f32>(0.0);
  var s1 = vec4<f32>(0.0);
  var s2 = vec4<f32>(0.0);
  var s3 = vec4<f32>(0.0);
  for (var k = 0u; k < depth; k++) {
    let at = at0 + k * depth_stride;
    let first = vec4(m[at.x], m[at.y], m[at.z], m[at.w]) * u.correction1;
    let second = vec4(v[at.x], v[at.y], v[at.z], v[at.w]) * u.correction2;
    let d = first / (sqrt(second) + u.epsilon);
    let f = left0 + k * left_stride;
    let values = vec4(left[f.x], left[f.y], left[f.z], left[f.w]);
    s0 += d.x * values;
    s1 += d.y * values;
    s2 += d.z * values;
    s3 += d.w * values;
  }
  // S of B, or with OF_B T of A.
  let stride = (r + 3u) / 4u * 4u;
  let values0 = group.y * u.block + 6u * r * stride + select(stride, 0u, OF_B);
  let values = vec4(small[values0 + ranks.x], small[values0 + ranks.y], small[values0 + ranks.z], small[values0 + ranks.w]);
  store(site, line0, rank0, s0 * values);
  store(site, line0 + 1u, rank0, s1 * values);
  store(site, line0 + 2u, rank0, s2 * values);
  store(site, line0 + 3u, rank0, s3 * values);
}

fn store(site: Site, line: u32, rank0: u32, sums: vec4<f32>) {
  let lines = select(site.columns, site.rows, OF_B);
  if (line >= lines) {
    return;
  }
  for (var j = 0u; j < 4u; j++) {
    let rank = rank0 + j;
    if (rank < u.rank) {
      let at = select(site.a + rank * site.columns + line, site.b + line * u.rank + rank, OF_B);
      projected[at] = site.scale * sums[j];
    }
  }
}
