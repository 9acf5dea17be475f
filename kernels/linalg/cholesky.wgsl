// Cholesky factors of many Gram matrices G = R^T R, R upper, one workgroup each; and their products R E with those of the
// rounds before, or R again without PRODUCT.
//
// A multiple of the largest diagonal element is added to the diagonal, so that rounding of G leaves no pivot negative:
// shifted CholeskyQR, Fukaya et al., SIAM J. Sci. Comput. 42, 2020. What is divided by R in one round and by its successor
// in the next is orthonormal all the same. A pivot that is still too small counts as what it must be at least, and its row
// ends there; of a matrix of zeros R is 0 by value.
//
// A matrix whose columns G says to be all but orthogonal needs no further round: its product is R E without shift, and `done`
// tells the kernels of the next round, and this one, to leave it as it is. How long its columns are does not matter, since
// errors of a Cholesky factor's columns are as large as those are: van der Sluis, Numer. Math. 14, 1969.
struct Uniforms {
  rank: u32,
  // Vectors of a row.
  blocks: u32,
  // Shares of the largest diagonal element: what is added, and what a pivot is at least.
  shift: f32,
  floor: f32,
  // 1 where the factor may be the last one: in all rounds but the last, which is.
  may_end: u32,
  // Always 0, which the compiler does not know: a loop whose end depends on it is not unrolled, and sooner compiled.
  zero: u32,
}

override LANES = 64u;
override PRODUCT = false;

// Rows are whole vectors; of a symmetric matrix what lies on and above the diagonal. Overwritten.
@group(0) @binding(0) var<storage, read_write> gram: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> factor: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> earlier: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> product: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, LANES>;
var<workgroup> skips: u32;

// Largest distance of the matrix of cosines from I, in the Frobenius norm, squared, from which R is right to rounding.
const NEAR = 0.25;

#use outer

#use sum_of_lanes f32 LANES

#use is_done

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let blocks = u.blocks;
  let base = group.x * 4u * blocks * blocks;
  var largest = 0.0;
  for (var p = 0u; p < blocks; p++) {
    let at = base + 4u * p * blocks + p;
    let diagonal = vec4(gram[at].x, gram[at + blocks].y, gram[at + 2u * blocks].z, gram[at + 3u * blocks].w);
    largest = max(max(largest, max(diagonal.x, diagonal.y)), max(diagonal.z, diagonal.w));
  }
  if (lane == 0u) {
    skips = u32(PRODUCT && is_done(base, blocks));
  }
  if (workgroupUniformLoad(&skips) == 1u) {
    for (var at = base + lane; at < base + 4u * blocks * blocks; at += LANES) {
      product[at] = earlier[at];
    }
    return;
  }
  var distance = 0.0;
  if (u.may_end == 1u) {
    for (var i = lane; i < u.rank; i += LANES) {
      let row = base + i * blocks;
      let length = sqrt(gram[row + i / 4u][i % 4u]);
      for (var j = i / 4u; j < blocks; j++) {
        let columns = vec4(4u * j) + vec4(0u, 1u, 2u, 3u);
        let off = select(vec4<f32>(0.0), gram[row + j], (columns > vec4(i)) & (columns < vec4(u.rank)));
        let at = base + 4u * j * blocks + j;
        let squares = vec4(gram[at].x, gram[at + blocks].y, gram[at + 2u * blocks].z, gram[at + 3u * blocks].w);
        let cosines = select(vec4<f32>(0.0), off / (length * sqrt(squares)), off != vec4<f32>(0.0));
        distance += 2.0 * dot(cosines, cosines);
      }
    }
  }
  #use put distance
  workgroupBarrier();
  let ends = u.may_end == 1u && sum_of_lanes() < NEAR;
  let shift = select(u.shift * largest, 0.0, ends);
  let least = select(u.floor * largest, 0.0, ends);
  // All have read the diagonal before one changes it.
  storageBarrier();
  // Four rows of R at a time: what the rows above them leave of G, then the four by four on the diagonal, by each lane.
  for (var p = 0u; p < blocks; p++) {
    let row = base + 4u * p * blocks;
    for (var j = p + lane; j < blocks; j += LANES) {
      var tile = mat4x4<f32>(gram[row + j], gram[row + blocks + j], gram[row + 2u * blocks + j], gram[row + 3u * blocks + j]);
      for (var k = 0u; k < 4u * p; k++) {
        let above = base + k * blocks;
        tile -= outer(factor[above + p], factor[above + j]);
      }
      gram[row + j] = tile[0];
      gram[row + blocks + j] = tile[1];
      gram[row + 2u * blocks + j] = tile[2];
      gram[row + 3u * blocks + j] = tile[3];
    }
    storageBarrier();
    let g0 = gram[row + p];
    let g1 = gram[row + blocks + p];
    let g2 = gram[row + 2u * blocks + p];
    let g3 = gram[row + 3u * blocks + p];
    let p0 = g0.x + shift;
    let r0 = g0 * row_scale(p0, least);
    let p1 = g1.y - r0.y * r0.y + shift;
    let r1 = (g1 - r0.y * r0) * row_scale(p1, least);
    let p2 = g2.z - r0.z * r0.z - r1.z * r1.z + shift;
    let r2 = (g2 - r0.z * r0 - r1.z * r1) * row_scale(p2, least);
    let p3 = g3.w - r0.w * r0.w - r1.w * r1.w - r2.w * r2.w + shift;
    let i0 = inverse_root(p0, least);
    let i1 = inverse_root(p1, least);
    let i2 = inverse_root(p2, least);
    let i3 = inverse_root(p3, least);
    for (var j = p + lane; j < blocks; j += LANES) {
      let h0 = gram[row + j] * row_scale(p0, least);
      let h1 = (gram[row + blocks + j] - r0.y * h0) * row_scale(p1, least);
      let h2 = (gram[row + 2u * blocks + j] - r0.z * h0 - r1.z * h1) * row_scale(p2, least);
      let h3 = (gram[row + 3u * blocks + j] - r0.w * h0 - r1.w * h1 - r2.w * h2) * row_scale(p3, least);
      let diagonal = j == p;
      factor[row + j] = select(h0, vec4(root(i0), h0.yzw), diagonal);
      factor[row + blocks + j] = select(h1, vec4(0.0, root(i1), h1.zw), diagonal);
      factor[row + 2u * blocks + j] = select(h2, vec4(0.0, 0.0, root(i2), h2.w), diagonal);
      factor[row + 3u * blocks + j] = select(h3, vec4(0.0, 0.0, 0.0, root(i3)), diagonal);
    }
    storageBarrier();
  }
  if (lane == 0u) {
    factor[done_at(base, blocks)] = select(vec4<f32>(0.0), vec4(1.0), ends);
  }
  for (var tile = lane; tile < blocks * blocks; tile += LANES) {
    let i = tile / blocks;
    let j = tile % blocks;
    let row = base + 4u * i * blocks;
    var sums = mat4x4<f32>();
    if (!PRODUCT && i <= j) {
      sums = mat4x4<f32>(
        factor[row + j],
        factor[row + blocks + j],
        factor[row + 2u * blocks + j],
        factor[row + 3u * blocks + j],
      );
    }
    for (var k = i; PRODUCT && k <= j; k++) {
      let other = base + 4u * k * blocks + j;
      let e = mat4x4<f32>(earlier[other], earlier[other + blocks], earlier[other + 2u * blocks], earlier[other + 3u * blocks]);
      sums += e * mat4x4<f32>(
        factor[row + k],
        factor[row + blocks + k],
        factor[row + 2u * blocks + k],
        factor[row + 3u * blocks + k],
      );
    }
    product[row + j] = sums[0];
    product[row + blocks + j] = sums[1];
    product[row + 2u * blocks + j] = sums[2];
    product[row + 3u * blocks + j] = sums[3];
  }
}

// 1 / sqrt(pivot), 0 where all pivots are 0.
fn inverse_root(pivot: f32, least: f32) -> f32 {
  let value = max(pivot, least);
  return select(0.0, inverseSqrt(value), value > 0.0);
}

// What makes the rest of a row of what is left of G: 0 where the pivot is too small, so that a row that is but rounding is not
// made large, nor what rows below it are left with.
fn row_scale(pivot: f32, least: f32) -> f32 {
  return select(0.0, inverse_root(pivot, least), pivot >= least);
}

fn root(inverse: f32) -> f32 {
  return select(0.0, 1.0 / inverse, inverse > 0.0);
}
