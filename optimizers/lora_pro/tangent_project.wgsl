// The coordinates of the gradients that Adam's direction D would give the factors, as if it were the full gradient: V_B^T (s B^T D) =
// s S U^T D, or with OF_B (s D A^T) V_A = s D L^T T. D is formed from its moments on the way and never stored. A lane forms
// four of D's lines times up to eight ranks.
struct Uniforms {
  #use shape
  correction1: f32,
  correction2: f32,
  epsilon: f32,
}

override OF_B = false;
// Only U^T D and D L^T.
override PLAIN = false;

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
// U, or with OF_B L: left vectors in the layout of B or A.
@group(0) @binding(1) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> m: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> projected: array<f32>;
@group(0) @binding(6) var<uniform> u: Uniforms;

#use load left
#use load m
#use load v
#use store projected

// Adam's direction from its moments.
fn direction(at: u32, inside: u32) -> vec4<f32> {
  let first = load_m(at, inside) * u.correction1;
  return first / (sqrt(load_v(at, inside) * u.correction2) + u.epsilon);
}

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
  let rank_blocks = (r + 7u) / 8u;
  let line0 = i / rank_blocks * 4u;
  let rank0 = i % rank_blocks * 8u;
  // D's lines are its columns for s B^T D and its rows for s D A^T; the sum runs along the other axis.
  if (line0 >= select(layer.columns, layer.rows, OF_B)) {
    return;
  }
  let has_more = rank0 + 4u < r;
  // Sums by rank over the lines, or with OF_B by line over the ranks; of the first four ranks and of the next four.
  var sums = mat4x4<f32>();
  var more = mat4x4<f32>();
  let values0 = group.y * u.block + 6u * r * blocks + select(blocks, 0u, OF_B) + rank0 / 4u;
  if (OF_B) {
    let rows = layer.moments + min(vec4(line0) + vec4(0u, 1u, 2u, 3u), vec4(layer.rows - 1u)) * layer.columns;
    for (var k = 0u; k < layer.columns; k += 4u) {
      let inside = layer.columns - k;
      let d0 = direction(rows.x + k, inside);
      let d1 = direction(rows.y + k, inside);
      let d2 = direction(rows.z + k, inside);
      let d3 = direction(rows.w + k, inside);
      let l = lines_of(layer, rank0, k, inside);
      sums += mat4x4<f32>(d0 * l, d1 * l, d2 * l, d3 * l);
      if (has_more) {
        let l = lines_of(layer, rank0 + 4u, k, inside);
        more += mat4x4<f32>(d0 * l, d1 * l, d2 * l, d3 * l);
      }
    }
    let scales = select(layer.scale * small[values0], vec4(1.0), PLAIN);
    let more_scales = select(layer.scale * small[values0 + select(0u, 1u, has_more)], vec4(1.0), PLAIN);
    for (var line = 0u; line < 4u + u.zero; line++) {
      if (line0 + line < layer.rows) {
        let at = layer.b + (line0 + line) * r + rank0;
        store_projected(at, r - rank0, scales * sums[line]);
        if (has_more) {
          store_projected(at + 4u, r - rank0 - 4u, more_scales * more[line]);
        }
      }
    }
    return;
  }
  let inside = layer.columns - line0;
  for (var k = 0u; k < layer.rows; k++) {
    let d = direction(layer.moments + k * layer.columns + line0, inside);
    let at = layer.b + k * r + rank0;
    let l = load_left(at, r - rank0);
    sums += mat4x4<f32>(d * l.x, d * l.y, d * l.z, d * l.w);
    if (has_more) {
      let l = load_left(at + 4u, r - rank0 - 4u);
      more += mat4x4<f32>(d * l.x, d * l.y, d * l.z, d * l.w);
    }
  }
  let scales = select(layer.scale * small[values0], vec4(1.0), PLAIN);
  let more_scales = select(layer.scale * small[values0 + select(0u, 1u, has_more)], vec4(1.0), PLAIN);
  for (var j = 0u; j < 4u + u.zero; j++) {
    let at = layer.a + (rank0 + j) * layer.columns + line0;
    if (rank0 + j < r) {
      store_projected(at, inside, scales[j] * sums[j]);
    }
    if (rank0 + 4u + j < r) {
      store_projected(at + 4u * layer.columns, inside, more_scales[j] * more[j]);
    }
  }
}

// Four lines of L, from `rank0` on, at columns k .. k + 3: a matrix that maps four of D's columns into four ranks.
fn lines_of(layer: Layer, rank0: u32, k: u32, inside: u32) -> mat4x4<f32> {
  let at = layer.a + k + min(vec4(rank0) + vec4(0u, 1u, 2u, 3u), vec4(u.rank - 1u)) * layer.columns;
  return mat4x4<f32>(
    load_left(at.x, inside),
    load_left(at.y, inside),
    load_left(at.z, inside),
    load_left(at.w, inside),
  );
}
