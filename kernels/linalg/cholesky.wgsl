// Cholesky factors of many Gram matrices G = R^T R, R upper, one workgroup each; and their products R E with those of the
// rounds before, or R again without PRODUCT.
//
// A multiple of the largest diagonal element is added to the diagonal, so that rounding of G leaves no pivot negative:
// shifted CholeskyQR, Fukaya et al., SIAM J. Sci. Comput. 42, 2020. What is divided by R in one round and by its successor
// in the next is orthonormal all the same. A pivot that is still too small counts as what it must be at least, and its row
// ends there; of a matrix of zeros R is 0 by value.
//
// A matrix whose columns G says to be far from dependent needs no further round: its product is R E without shift, and `done`
// tells the kernels of the next round, and this one, to leave it as it is. How long its columns are does not matter, since
// errors of a Cholesky factor's columns are as large as those are: van der Sluis, Numer. Math. 14, 1969. What matters is the
// least eigenvalue of the matrix C of the columns' cosines. No pivot's share of its diagonal element is below it, and a few
// inverse iterations by R find it.
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

// Rows are whole vectors; of a symmetric matrix what lies on and above the diagonal.
@group(0) @binding(0) var<storage, read> gram: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> factor: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> earlier: array<vec4<f32>>;
// Until it is formed, what is left of G.
@group(0) @binding(3) var<storage, read_write> product: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> u: Uniforms;

var<workgroup> skips: u32;
var<workgroup> ends: u32;

// C's least eigenvalue from which no further round is needed, and the iterations that estimate it.
const INDEPENDENT = 0.1;
const ITERATIONS = 3u;

// What is iterated: room for the largest rank, 256.
var<workgroup> x: array<vec4<f32>, 64>;

#use outer

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
  // Without a shift first, where that may do.
  for (var attempt = 1u - u.may_end; attempt < 2u; attempt++) {
    let is_shifted = attempt == 1u;
    let least_share = factorize(
      lane,
      base,
      select(0.0, u.shift * largest, is_shifted),
      select(0.0, u.floor * largest, is_shifted),
      select(INDEPENDENT, -1.0, is_shifted),
    );
    if (lane == 0u) {
      ends = u32(!is_shifted && least_share >= INDEPENDENT);
    }
    if (workgroupUniformLoad(&ends) == 1u) {
      let least_eigenvalue = least_eigenvalue_of(lane, base);
      if (lane == 0u) {
        ends = u32(least_eigenvalue >= INDEPENDENT);
      }
      if (workgroupUniformLoad(&ends) == 1u) {
        break;
      }
    }
  }
  if (lane == 0u) {
    factor[done_at(base, blocks)] = vec4(f32(ends));
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

// R into `factor`, and the least share of a pivot in its diagonal element; where that is below `enough` R is not needed.
fn factorize(lane: u32, base: u32, shift: f32, least: f32, enough: f32) -> f32 {
  let blocks = u.blocks;
  var least_share = 1.0;
  // Four rows of R at a time: what the rows above them leave of G, then the four by four on the diagonal, by each lane.
  for (var p = 0u; p < blocks; p++) {
    let row = base + 4u * p * blocks;
    for (var j = p + lane; j < blocks && least_share >= enough; j += LANES) {
      // Summed first: what is small beside G would lose more, one by one.
      var sums = mat4x4<f32>();
      for (var k = 0u; k < 4u * p; k++) {
        let above = base + k * blocks;
        sums += outer(factor[above + p], factor[above + j]);
      }
      product[row + j] = gram[row + j] - sums[0];
      product[row + blocks + j] = gram[row + blocks + j] - sums[1];
      product[row + 2u * blocks + j] = gram[row + 2u * blocks + j] - sums[2];
      product[row + 3u * blocks + j] = gram[row + 3u * blocks + j] - sums[3];
    }
    storageBarrier();
    let g0 = product[row + p];
    let g1 = product[row + blocks + p];
    let g2 = product[row + 2u * blocks + p];
    let g3 = product[row + 3u * blocks + p];
    let p0 = g0.x + shift;
    let r0 = g0 * row_scale(p0, least);
    let p1 = g1.y - r0.y * r0.y + shift;
    let r1 = (g1 - r0.y * r0) * row_scale(p1, least);
    let p2 = g2.z - r0.z * r0.z - r1.z * r1.z + shift;
    let r2 = (g2 - r0.z * r0 - r1.z * r1) * row_scale(p2, least);
    let p3 = g3.w - r0.w * r0.w - r1.w * r1.w - r2.w * r2.w + shift;
    let lengths = vec4(gram[row + p].x, gram[row + blocks + p].y, gram[row + 2u * blocks + p].z, gram[row + 3u * blocks + p].w);
    let shares = select(vec4(1.0), vec4(p0, p1, p2, p3) / lengths, lengths > vec4<f32>(0.0));
    least_share = min(least_share, min(min(shares.x, shares.y), min(shares.z, shares.w)));
    let i0 = inverse_root(p0, least);
    let i1 = inverse_root(p1, least);
    let i2 = inverse_root(p2, least);
    let i3 = inverse_root(p3, least);
    for (var j = p + lane; j < blocks && least_share >= enough; j += LANES) {
      let h0 = product[row + j] * row_scale(p0, least);
      let h1 = (product[row + blocks + j] - r0.y * h0) * row_scale(p1, least);
      let h2 = (product[row + 2u * blocks + j] - r0.z * h0 - r1.z * h1) * row_scale(p2, least);
      let h3 = (product[row + 3u * blocks + j] - r0.w * h0 - r1.w * h1 - r2.w * h2) * row_scale(p3, least);
      let diagonal = j == p;
      factor[row + j] = select(h0, vec4(root(i0), h0.yzw), diagonal);
      factor[row + blocks + j] = select(h1, vec4(0.0, root(i1), h1.zw), diagonal);
      factor[row + 2u * blocks + j] = select(h2, vec4(0.0, 0.0, root(i2), h2.w), diagonal);
      factor[row + 3u * blocks + j] = select(h3, vec4(0.0, 0.0, 0.0, root(i3)), diagonal);
    }
    storageBarrier();
  }
  return least_share;
}

// An estimate from above: C^-1 = D R^-1 R^-T D, D being the columns' lengths.
fn least_eigenvalue_of(lane: u32, base: u32) -> f32 {
  let blocks = u.blocks;
  var eigenvalue = 1e30;
  // Signs without a pattern.
  for (var b = lane; b < blocks; b += LANES) {
    let bits = ((vec4(4u * b) + vec4(0u, 1u, 2u, 3u)) * 2654435769u) >> vec4(31u);
    x[b] = select(vec4(1.0), vec4(-1.0), bits == vec4(1u)) * inverseSqrt(f32(u.rank));
  }
  workgroupBarrier();
  for (var iteration = 0u; iteration < ITERATIONS + u.zero; iteration++) {
    for (var b = lane; b < blocks; b += LANES) {
      x[b] *= lengths_of(base, b);
    }
    workgroupBarrier();
    for (var p = 0u; p < blocks; p++) {
      let row = base + 4u * p * blocks;
      let r0 = factor[row + p];
      let r1 = factor[row + blocks + p];
      let r2 = factor[row + 2u * blocks + p];
      let r3 = factor[row + 3u * blocks + p];
      let right = x[p];
      let z0 = quotient(right.x, r0.x);
      let z1 = quotient(right.y - r0.y * z0, r1.y);
      let z2 = quotient(right.z - r0.z * z0 - r1.z * z1, r2.z);
      let z3 = quotient(right.w - r0.w * z0 - r1.w * z1 - r2.w * z2, r3.w);
      // All have read it.
      workgroupBarrier();
      for (var b = p + lane; b < blocks; b += LANES) {
        let above01 = z0 * factor[row + b] + z1 * factor[row + blocks + b];
        let above23 = z2 * factor[row + 2u * blocks + b] + z3 * factor[row + 3u * blocks + b];
        x[b] = select(x[b] - (above01 + above23), vec4(z0, z1, z2, z3), b == p);
      }
      workgroupBarrier();
    }
    for (var rest = blocks; rest > 0u; rest--) {
      let p = rest - 1u;
      let row = base + 4u * p * blocks;
      let r0 = factor[row + p];
      let r1 = factor[row + blocks + p];
      let r2 = factor[row + 2u * blocks + p];
      let right = x[p];
      let w3 = quotient(right.w, factor[row + 3u * blocks + p].w);
      let w2 = quotient(right.z - r2.w * w3, r2.z);
      let w1 = quotient(right.y - r1.z * w2 - r1.w * w3, r1.y);
      let w0 = quotient(right.x - r0.y * w1 - r0.z * w2 - r0.w * w3, r0.x);
      let found = vec4(w0, w1, w2, w3);
      workgroupBarrier();
      for (var b = lane; b <= p; b += LANES) {
        let line = base + 4u * b * blocks + p;
        let below = vec4(
          dot(factor[line], found),
          dot(factor[line + blocks], found),
          dot(factor[line + 2u * blocks], found),
          dot(factor[line + 3u * blocks], found),
        );
        x[b] = select(x[b] - below, found, b == p);
      }
      workgroupBarrier();
    }
    var square = 0.0;
    for (var b = 0u; b < blocks; b++) {
      let own = lengths_of(base, b) * x[b];
      square += dot(own, own);
    }
    let scale = select(0.0, inverseSqrt(square), square > 0.0);
    eigenvalue = select(eigenvalue, scale, square > 0.0);
    workgroupBarrier();
    for (var b = lane; b < blocks; b += LANES) {
      x[b] *= scale * lengths_of(base, b);
    }
    workgroupBarrier();
  }
  return eigenvalue;
}

// Lengths of four columns.
fn lengths_of(base: u32, b: u32) -> vec4<f32> {
  let at = base + 4u * b * u.blocks + b;
  return sqrt(vec4(gram[at].x, gram[at + u.blocks].y, gram[at + 2u * u.blocks].z, gram[at + 3u * u.blocks].w));
}

fn quotient(value: f32, by: f32) -> f32 {
  return select(0.0, value / by, by > 0.0);
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
